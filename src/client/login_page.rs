//! The page by which clients log in that do not know how to `[C-S §5.7.2, Login Fallback]`.

use selvedge_durable_objects::matrix_error::MatrixError;

use crate::{answer::Text, context::Ctx, extract::NoAuth, router::Incoming};

/// `GET /_matrix/static/client/login/`: logs in by password, and hands the answer to the client whose page this is.
pub async fn login_page(_: Ctx, _: NoAuth, _: Incoming) -> Result<Text, MatrixError> {
    let body = include_str!("login_page.html").to_owned();
    Ok(Text { content_type: "text/html; charset=utf-8", body })
}
