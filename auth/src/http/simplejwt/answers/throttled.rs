//! DRF's words for a try that is not let through.

use axum::http::StatusCode;

use super::Refusal;
use crate::throttle::Refused;

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let seconds = match refused {
            Refused::For { seconds } => seconds,
            Refused::Database(error) => return error.into(),
        };
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let text = format!("Request was throttled. Expected available in {seconds} {unit}.");
        Self {
            retry_seconds: seconds,
            ..Self::detail(StatusCode::TOO_MANY_REQUESTS, &text)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn who_is_turned_away_is_told_when_to_come_again() {
        let locked = |seconds| Refusal::from(Refused::For { seconds });
        let throttled = r#"{"detail":"Request was throttled. Expected available in "#;
        for (refusal, status, after, body) in [
            (locked(1), 429, "1", format!("{throttled}1 second.\"}}")),
            (locked(10), 429, "10", format!("{throttled}10 seconds.\"}}")),
            (
                Refusal::unavailable(),
                503,
                "1",
                r#"{"detail":"Service temporarily unavailable, try again later."}"#.to_owned(),
            ),
        ] {
            assert_eq!(String::from_utf8_lossy(&refusal.body), body);
            let answer = refusal.into_response();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()[header::RETRY_AFTER], after);
        }
    }
}
