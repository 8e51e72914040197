//! What users uploaded.

use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::{
        media_index::{
            ListUploads, MediaSelection, QuarantineMedia, RemoveMedia, SumOrder, SumUploads, UploadOrder,
            UploadSum, UploadSums, Uploads,
        },
        user::GetProfile,
    },
};
use serde_json::{Value, json};

use super::{add, add_text, arguments, media};
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, router::Incoming};

/// How long a page is unless the request says.
const PAGE: u64 = 100;
/// How many profiles are asked for at a time.
const AT_ONCE: usize = 10;

/// The words for an order of uploads.
const ORDERS: [(&str, UploadOrder); 8] = [
    ("media_id", UploadOrder::MediaId),
    ("upload_name", UploadOrder::FileName),
    ("created_ts", UploadOrder::Created),
    ("last_access_ts", UploadOrder::LastAccess),
    ("media_length", UploadOrder::Bytes),
    ("media_type", UploadOrder::ContentType),
    ("quarantined_by", UploadOrder::QuarantinedBy),
    ("safe_from_quarantine", UploadOrder::Protected),
];

/// `GET /_synapse/admin/v1/users/{userId}/media?from=&limit=&order_by=&dir=`
pub async fn list(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let (uploads, from) = page(&ctx, &incoming).await?;
    let media = uploads.media.iter().map(|info| media::described(&ctx, info)).collect();
    Ok(paged("media", media, from, uploads.total))
}

/// `DELETE /_synapse/admin/v1/users/{userId}/media?from=&limit=&order_by=&dir=`: what the list would show.
pub async fn delete(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let (uploads, _) = page(&ctx, &incoming).await?;
    let names = uploads.media.into_iter().map(|info| info.name).collect();
    Ok(media::deleted(&ctx.call(&(), &RemoveMedia { names }).await?))
}

/// The uploads that a request means, and how many it skips.
async fn page(ctx: &Ctx, incoming: &Incoming) -> Result<(Uploads, u64), MatrixError> {
    let user_id = arguments::local_user(ctx, incoming).await?;
    let order = arguments::choice(incoming, "order_by", &ORDERS)?;
    let is_descending = arguments::is_descending(incoming)?;
    let from = arguments::number(incoming, "from")?.unwrap_or(0);
    let command = ListUploads {
        uploader: user_id.localpart().to_owned(),
        from,
        limit: arguments::number(incoming, "limit")?.unwrap_or(PAGE),
        // The newest first, unless the request says anything of an order.
        is_descending: is_descending.unwrap_or(order.is_none()),
        order: order.unwrap_or(UploadOrder::Created),
    };
    Ok((ctx.call(&(), &command).await?, from))
}

/// `POST /_synapse/admin/v1/user/{userId}/media/quarantine`
pub async fn quarantine(ctx: Ctx, admin: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let user_id = arguments::local_user(&ctx, &incoming).await?;
    let media = MediaSelection::Uploader(user_id.localpart().to_owned());
    let count = ctx.call(&(), &QuarantineMedia { media, by: Some(admin.name()) }).await?;
    Ok(Json(json!({"num_quarantined": count}).to_string()))
}

/// By what the statistics are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatisticsOrder {
    /// What the index knows.
    Indexed(SumOrder),
    /// What only the profiles know.
    DisplayName,
}

/// How much one user uploaded, and their name.
struct Sum {
    of: UploadSum,
    display_name: Option<String>,
}

/// `GET /_synapse/admin/v1/statistics/users/media?order_by=&dir=&from=&limit=&from_ts=&until_ts=&search_term=`
pub async fn statistics(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let orders = [
        ("user_id", StatisticsOrder::Indexed(SumOrder::Uploader)),
        ("media_count", StatisticsOrder::Indexed(SumOrder::Count)),
        ("media_length", StatisticsOrder::Indexed(SumOrder::Bytes)),
        ("displayname", StatisticsOrder::DisplayName),
    ];
    let order = arguments::choice(&incoming, "order_by", &orders)?;
    let order = order.unwrap_or(StatisticsOrder::Indexed(SumOrder::Uploader));
    let is_descending = arguments::is_descending(&incoming)?.unwrap_or(false);
    let from = arguments::number(&incoming, "from")?.unwrap_or(0);
    let limit = arguments::number(&incoming, "limit")?.unwrap_or(PAGE);
    let (from_ts, until_ts) =
        (arguments::number(&incoming, "from_ts")?.unwrap_or(0), arguments::number(&incoming, "until_ts")?);
    if until_ts.is_some_and(|until_ts| until_ts <= from_ts) {
        return Err(MatrixError::invalid_param("until_ts is not after from_ts"));
    }
    let term = arguments::text(&incoming, "search_term");
    if term.as_deref() == Some("") {
        return Err(MatrixError::invalid_param("search_term is empty"));
    }
    // What depends on profiles is for us to sort out.
    let indexed = match order {
        StatisticsOrder::Indexed(indexed) if term.is_none() => Some(indexed),
        _ => None,
    };
    let sums = SumUploads {
        from_ts,
        until_ts,
        order: if let StatisticsOrder::Indexed(indexed) = order { indexed } else { SumOrder::Uploader },
        is_descending: is_descending && order != StatisticsOrder::DisplayName,
        from: if indexed.is_some() { from } else { 0 },
        limit: indexed.map(|_| limit),
    };
    let UploadSums { users, mut total } = ctx.call(&(), &sums).await?;
    let mut users: Vec<Sum> = each(AT_ONCE, users, |of| named(&ctx, of)).await;
    if let Some(term) = &term {
        users.retain(|user| user.matches(&term.to_lowercase()));
    }
    if indexed.is_none() {
        if order == StatisticsOrder::DisplayName {
            users.sort_by(|one, other| one.display_name.cmp(&other.display_name));
            if is_descending {
                users.reverse();
            }
        }
        total = u64::try_from(users.len()).unwrap_or(u64::MAX);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        users = users.into_iter().skip(count(from)).take(count(limit)).collect();
    }
    let users = users.iter().map(|user| user.json(&ctx)).collect();
    Ok(paged("users", users, from, total))
}

/// Adds the name that a user goes by; without one when the account is gone.
async fn named(ctx: &Ctx, of: UploadSum) -> Sum {
    let profile = ctx.call(of.uploader.as_str(), &GetProfile {}).await.unwrap_or_default();
    let display_name = profile.get("displayname").and_then(Value::as_str).map(str::to_owned);
    Sum { of, display_name }
}

impl Sum {
    /// Whether the user id or the name holds `term`, which is in lower case.
    fn matches(&self, term: &str) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(term);
        holds(&self.of.uploader) || self.display_name.as_deref().is_some_and(holds)
    }

    fn json(&self, ctx: &Ctx) -> String {
        let UploadSum { uploader, count, bytes } = &self.of;
        let json = Json::object(|sum| {
            sum.string("user_id", &format!("@{uploader}:{}", ctx.server_name()));
            add_text(sum, "displayname", self.display_name.as_deref());
            add(sum, "media_count", count);
            add(sum, "media_length", bytes);
        });
        json.0
    }
}

/// A page, and where the next one begins, if there is one.
fn paged(name: &str, shown: Vec<String>, from: u64, total: u64) -> Json {
    let next = from.saturating_add(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    let has_next = !shown.is_empty() && next < total;
    Json::object(|answer| {
        answer.array(name, shown);
        add(answer, "total", total);
        if has_next {
            add(answer, "next_token", next);
        }
    })
}
