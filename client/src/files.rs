//! Files that the ledger makes in the background: statements, parts of the log.

#![expect(
    missing_docs,
    reason = "the names of the JSON; the ledger says what they mean"
)]

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::statements::Download;
use crate::{Client, Result, found, join};

/// Somebody's files, the newest first.
#[derive(Debug, Deserialize)]
pub struct KeptFiles {
    pub files: Vec<KeptFile>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct KeptFile {
    pub id: Uuid,
    pub kind: String,
    pub about: String,
    pub file_name: String,
    pub state: String,
    pub bytes: Option<u64>,
    pub asked_at: DateTime<Utc>,
    pub gone_at: DateTime<Utc>,
    pub detail: Option<String>,
}

impl Client {
    /// Asks for a file.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn ask_file(&self, token: &str, wanted: &Value) -> Result<Value> {
        let ledger = &self.addresses.ledger;
        self.post(token, ledger, "/files", Some(wanted)).await
    }

    /// One's files.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn files<T: DeserializeOwned>(&self, token: &str) -> Result<T> {
        let ledger = &self.addresses.ledger;
        self.get(token, ledger, "/files", &[]).await
    }

    /// A file, as it stands; `None` when there is none for this caller.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn file<T: DeserializeOwned>(&self, token: &str, id: Uuid) -> Result<Option<T>> {
        let path = format!("/files/{id}");
        found(self.get(token, &self.addresses.ledger, &path, &[]).await)
    }

    /// What a file holds. With `media`, what the gateway says of where files are, the gateway may hand it out.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn download_file(
        &self,
        token: &str,
        id: Uuid,
        media: Option<&str>,
    ) -> Result<Download> {
        let url = join(&self.addresses.ledger, &format!("/files/{id}/content"))?;
        let mut request = self.http.get(url.clone()).bearer_auth(token);
        if let Some(media) = media {
            request = request.header("x-forwarded-media", media);
        }
        self.download(request, &url).await
    }

    /// Deletes a file before its time.
    ///
    /// # Errors
    /// [`crate::Error`].
    pub async fn delete_file(&self, token: &str, id: Uuid) -> Result<()> {
        let path = format!("/files/{id}");
        self.delete(token, &self.addresses.ledger, &path).await
    }
}
