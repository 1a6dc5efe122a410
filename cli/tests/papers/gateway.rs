//! The gateway's container: how nginx starts in it, with and without `compose.https.yaml`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use local::testing;
use serde_json::json;

use crate::compose::containers;
use crate::{read, root, yaml};

/// What `gateway/start.sh` makes of this environment, in this directory; nginx only looks at it.
fn start(directory: &Path, secrets: &Path, names: &str) -> Output {
    let nginx = testing::programs().nginx;
    let programs = nginx.parent().expect("it is in a directory");
    let path = [programs, Path::new("/usr/bin"), Path::new("/bin")];
    Command::new("/bin/sh")
        .arg(root().join("gateway/start.sh"))
        .args(["-t", "-q"])
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("plain paths"))
        .env("DIRECTORY", directory)
        .env("SECRETS", secrets)
        .env("QUITTANCE_GATEWAY_NAMES", names)
        .output()
        .expect("a shell")
}

#[test]
fn nginx_accepts_the_configuration_of_its_container_with_and_without_tls() {
    let directory = tempfile::tempdir().unwrap();
    let [run, secrets] = ["run", "secrets"].map(|name| directory.path().join(name));
    for made in [&run, &secrets] {
        fs::create_dir(made).unwrap();
    }
    let plain = start(&run, &secrets, "");
    assert!(
        plain.status.success() && plain.stderr.is_empty(),
        "{plain:?}"
    );
    assert!(
        fs::read_to_string(run.join("listen.conf"))
            .unwrap()
            .contains("listen 8080;")
    );

    let certified = rcgen::generate_simple_self_signed(["bank.example".to_owned()]).unwrap();
    let files = [
        ("gateway_tls_certificate", certified.cert.pem()),
        ("gateway_tls_key", certified.signing_key.serialize_pem()),
    ];
    for (name, pem) in files {
        fs::write(secrets.join(name), pem).unwrap();
    }
    let tls = start(&run, &secrets, "bank.example www.bank.example");
    assert!(tls.status.success() && tls.stderr.is_empty(), "{tls:?}");
    assert!(
        fs::read_to_string(run.join("listen.conf"))
            .unwrap()
            .contains("listen 8080 ssl;")
    );
    let names = fs::read_to_string(run.join("names.conf")).unwrap();
    assert!(names.contains(" bank.example www.bank.example;"), "{names}");

    for smuggled in ["a;", "a{", "$b", "a\nb"] {
        let refused = start(&run, &secrets, smuggled);
        assert_eq!(refused.status.code(), Some(2), "{smuggled}: {refused:?}");
    }
}

#[test]
fn https_is_laid_over_the_gateway_and_its_end_is_watched() {
    let overlay = yaml("compose.https.yaml");
    let laid = overlay["services"].as_object().unwrap();
    assert_eq!(laid.keys().collect::<Vec<_>>(), ["console", "gateway"]);
    // The console tells when the certificate ends, and has no key.
    let certificate = "gateway_tls_certificate";
    let file = format!("/run/secrets/{certificate}");
    let console =
        json!({"environment": {"QUITTANCE_CERTIFICATES": file}, "secrets": [certificate]});
    assert_eq!(laid["console"], console);
    let plain = &containers()["gateway"]["healthcheck"]["test"];
    let plain = plain.as_array().unwrap().last().unwrap().as_str().unwrap();
    let tls = laid["gateway"]["healthcheck"]["test"].as_array().unwrap();
    assert_eq!(tls.last().unwrap(), &plain.replace("http://", "https://"));
    let secrets = overlay["secrets"].as_object().unwrap();
    let names: Vec<_> = secrets.keys().collect();
    assert_eq!(laid["gateway"]["secrets"], json!(names));
    for name in names {
        assert!(read("gateway/start.sh").contains(name.as_str()));
        assert!(read("compose.https.yaml").contains(&format!("#   {name} ")));
    }
}

/// The image has every file, and the program has every file but those that a bank writes for itself.
#[test]
fn every_file_of_the_configuration_is_in_the_image_and_in_the_program() {
    let (image, program) = (read("Dockerfile"), read("local/src/nginx.rs"));
    for file in fs::read_dir(root().join("gateway")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(image.contains(&format!("gateway/{name}")), "{name}");
        let is_included = program.contains(&format!("../../gateway/{name}"));
        assert!(is_included || name == "start.sh", "{name}");
    }
}
