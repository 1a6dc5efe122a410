//! The files that pages need: style, script, htmx, uPlot. They are in the program; a gateway serves them from a directory
//! that [`write_to`] fills.
//!
//! Each is asked for by a name with its hash, so that it can be kept for ever and an upgrade is seen at once.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::Context as _;
use axum::extract::Path as UrlPath;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

/// A browser may keep what a name with a hash stands for.
const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "static/"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
struct Files;

/// One file.
struct Asset {
    content: Vec<u8>,
    media_type: &'static str,
}

/// What browsers ask for.
struct Assets {
    by_name: BTreeMap<String, Asset>,
    /// From the name in the source to the name with the hash.
    names: BTreeMap<String, String>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let (mut by_name, mut names) = (BTreeMap::new(), BTreeMap::new());
    for path in Files::iter() {
        let file = Files::get(&path).expect("it is in the list");
        let (stem, extension) = path.rsplit_once('.').expect("only these are included");
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        let hash: String = file.metadata.sha256_hash()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = format!("{stem}.{hash}.{extension}");
        names.insert(path.to_string(), name.clone());
        let media_type = match extension {
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        let content = file.data.into_owned();
        by_name.insert(
            name,
            Asset {
                content,
                media_type,
            },
        );
    }
    Assets { by_name, names }
});

/// The address of a file in `static/`.
///
/// # Panics
/// When there is no such file, which a test of the templates finds.
pub(crate) fn address(file: &str) -> String {
    let name = ASSETS.names.get(file);
    format!(
        "/static/{}",
        name.unwrap_or_else(|| panic!("no file {file}"))
    )
}

pub(crate) async fn serve(UrlPath(name): UrlPath<String>) -> Response {
    match ASSETS.by_name.get(&name) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, CACHE_CONTROL),
            ],
            asset.content.as_slice(),
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Writes every file into a directory, and compressed ones of the same names into `gzip` there. Files of other versions stay:
/// pages that are open still ask for them.
///
/// # Errors
/// When the directory can't be written.
pub fn write_to(directory: &Path) -> anyhow::Result<usize> {
    let show = || format!("cannot write to {}", directory.display());
    let packed = directory.join("gzip");
    fs::create_dir_all(&packed).with_context(show)?;
    for (name, asset) in &ASSETS.by_name {
        let mut gz = GzEncoder::new(Vec::new(), Compression::best());
        gz.write_all(&asset.content).context("memory")?;
        let gz = gz.finish().context("memory")?;
        for (directory, content) in [(directory, &asset.content), (&*packed, &gz)] {
            // Whoever reads it meanwhile must not see half of it.
            let new = directory.join(format!(".{name}.new"));
            fs::write(&new, content)
                .and_then(|()| fs::rename(&new, directory.join(name)))
                .with_context(show)?;
        }
    }
    Ok(ASSETS.by_name.len())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn each_file_has_a_packed_twin_of_the_same_content() {
        let directory = tempfile::tempdir().unwrap();
        let count = write_to(directory.path()).unwrap();
        assert_eq!(count, ASSETS.by_name.len());
        // Twice is once.
        write_to(directory.path()).unwrap();
        let packed = directory.path().join("gzip");
        assert_eq!(fs::read_dir(&packed).unwrap().count(), count);
        for (name, asset) in &ASSETS.by_name {
            let twin = fs::read(packed.join(name)).unwrap();
            let mut unpacked = Vec::new();
            GzDecoder::new(&*twin).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, asset.content, "{name}");
            assert_eq!(fs::read(directory.path().join(name)).unwrap(), unpacked);
            // Or nobody would need it.
            let is_large = asset.content.len() > 1024;
            assert!(!is_large || twin.len() < unpacked.len() / 2, "{name}");
        }
    }
}
