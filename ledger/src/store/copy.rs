//! Rows in the binary format of `COPY`. Source: <https://www.postgresql.org/docs/current/sql-copy.html>
//!
//! PostgreSQL takes many rows for less this way than as arrays, but one statement more is two round trips more. So batches of
//! payments come like this, and plain payments don't.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgConnection, Postgres};
use sqlx::{Encode, encode::IsNull};

/// The signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In the place of a number of fields: no row follows.
const END: i16 = -1;
/// In the place of a length.
const NULL: i32 = -1;

/// Rows for a table. A value must have its column's type: nothing is converted.
pub(super) struct Rows {
    /// The table and its columns.
    into: &'static str,
    buffer: PgArgumentBuffer,
    /// The first value that has no such form.
    error: Option<BoxDynError>,
}

impl Rows {
    /// No rows yet; `into` names the table and its columns.
    pub(super) fn new(into: &'static str) -> Self {
        let mut buffer = PgArgumentBuffer::default();
        buffer.extend_from_slice(HEADER);
        Self {
            into,
            buffer,
            error: None,
        }
    }

    /// The next row, with so many fields.
    pub(super) fn row(&mut self, fields: i16) -> &mut Self {
        self.buffer.extend_from_slice(&fields.to_be_bytes());
        self
    }

    /// The next field of the row.
    pub(super) fn field<'v>(&mut self, value: impl Encode<'v, Postgres>) -> &mut Self {
        if let Err(error) = self.encode(&value) {
            self.error.get_or_insert(error);
        }
        self
    }

    fn encode<'v>(&mut self, value: &impl Encode<'v, Postgres>) -> Result<(), BoxDynError> {
        let length_at = self.buffer.len();
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
        let value_at = self.buffer.len();
        if matches!(value.encode_by_ref(&mut self.buffer)?, IsNull::No) {
            let length = i32::try_from(self.buffer.len() - value_at)?;
            self.buffer[length_at..value_at].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Adds them to their table. A connection on which this was dropped half-way must not be used again.
    ///
    /// # Errors
    /// When a value has no binary form, a row is refused, or the database does not answer.
    pub(super) async fn copy(mut self, db: &mut PgConnection) -> sqlx::Result<()> {
        self.row(END);
        if let Some(error) = self.error {
            return Err(sqlx::Error::Encode(error));
        }
        let statement = format!("copy {} from stdin (format binary)", self.into);
        let mut copying = db.copy_in_raw(&statement).await?;
        copying.send(&self.buffer[..]).await?;
        copying.finish().await.map(drop)
    }
}
