//! A bank with its gateway and console, and somebody of its staff who asks over HTTP as a browser would.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use crate::home::Home;

/// A part that was killed is back within seconds; a busy machine may take longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bank, and the desk of its staff.
pub(crate) struct Desk {
    pub(crate) home: Home,
    pub(crate) status: Value,
    http: Client,
}

impl Desk {
    pub(crate) fn open() -> Self {
        let home = Home::new();
        let status = home.run("up --detach --free-ports --json").json();
        let http = Client::builder().redirect(Policy::none()).no_proxy();
        Self {
            home,
            status,
            http: http.build().unwrap(),
        }
    }

    /// An address of the console behind the gateway.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}/admin{path}", self.status["gateway"].as_str().unwrap())
    }

    pub(crate) fn staff(&self) -> (&str, &str) {
        let staff = &self.status["demo"]["staff"];
        (
            staff["email"].as_str().unwrap(),
            staff["password"].as_str().unwrap(),
        )
    }

    /// The account of the first customer, Ada.
    pub(crate) fn account(&self) -> &str {
        self.status["demo"]["customers"][0]["account"]
            .as_str()
            .unwrap()
    }

    /// Waits until a console that was killed is there again.
    pub(crate) async fn wait_for_console(&self) {
        let begun = Instant::now();
        let ready = format!("{}/health/ready", self.status["console"].as_str().unwrap());
        while !self
            .http
            .get(&ready)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(begun.elapsed() < PATIENCE, "the console does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for a page with these headers.
    pub(crate) async fn get(&self, path: &str, headers: HeaderMap) -> Response {
        let request = self.http.get(self.at(path)).headers(headers);
        request.send().await.unwrap()
    }

    /// Sends a form.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        fields: &[(&str, &str)],
    ) -> Response {
        let request = self.http.request(Method::POST, self.at(path));
        request.headers(headers).form(fields).send().await.unwrap()
    }

    /// Signs somebody in; the headers of a browser that keeps the cookie.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> HeaderMap {
        let fields = [("email", email), ("password", password)];
        let answer = self.post("/sign-in", HeaderMap::new(), &fields).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], "/admin/");
        with_cookie(&cookie(&answer))
    }

    /// The secret that the forms of this session carry.
    pub(crate) async fn csrf(&self, signed_in: &HeaderMap) -> String {
        let page = self.get("/sessions", signed_in.clone()).await;
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// `name=value` of the cookie that an answer sets.
pub(crate) fn cookie(answer: &Response) -> String {
    let line = answer.headers()[SET_COOKIE].to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

pub(crate) fn with_cookie(cookie: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())])
}

/// Sends a signal to a process of the bank.
pub(crate) fn signal_to(pid: &str, signal: &str) {
    let sent = Command::new("kill").args([signal, pid]).status();
    assert!(sent.unwrap().success(), "{signal} {pid}");
}
