//! The fields of a form. None is looked at before the session's secret in it proves that the form is ours.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};

use crate::app::App;
use crate::failure::Failure;
use crate::prefix::Prefix;

/// The hidden field of every form.
pub(crate) const CSRF: &str = "csrf";

/// The fields of a form that was made for this session.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The text of a field without the spaces around it; `None` when it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(field, _)| field == name)?;
        Some(field.1.trim()).filter(|text| !text.is_empty())
    }

    /// As it was typed, for passwords.
    pub(crate) fn exactly(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map_or("", |(_, text)| text)
    }

    /// All that was chosen under this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let fields = self.0.iter().filter(move |(field, _)| field == name);
        fields.map(|(_, text)| text.as_str())
    }

    /// The fields of a form that nobody has to be signed in for.
    pub(crate) async fn of_stranger(request: Request) -> Result<Self, Failure> {
        let prefix = Prefix::here();
        let form: Result<Form<_>, FormRejection> = Form::from_request(request, &()).await;
        match form {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(rejection) => Err(Failure::bad_request(rejection.body_text(), &prefix)),
        }
    }
}

impl FromRequest<Arc<App>> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let prefix = Prefix::here();
        let session = app.sessions.of(request.headers());
        let fields = Self::of_stranger(request).await?;
        let Some(session) = session else {
            return Err(Failure::SignIn {
                next: "/".to_owned(),
            });
        };
        if fields.exactly(CSRF) != session.csrf {
            let why = "this form was made for another session; load its page again";
            return Err(Failure::forbidden(why, &prefix));
        }
        Ok(fields)
    }
}
