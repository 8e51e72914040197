//! Searching messages `[C-S §11.13]`.
//!
//! Each room finds in its own index. The edge asks the rooms in question, puts what they find in order, and has them
//! render what is on the page.

mod answer;
mod find;
mod token;

use ruma::{
    UInt,
    api::client::search::search_events::v3::{self as search_events, Criteria, OrderBy, SearchKeys},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{Reader, SearchKey, SearchQuery, TimelineFilter},
        user::ListReadableRooms,
    },
};
use serde_json::{Map, Value, json};

use self::{find::Search, token::Token};
use crate::{answer::Json, body::WithBody, context::Ctx, extract::ClientAuth};

/// How many results a page has when the client does not say.
const DEFAULT_LIMIT: u32 = 10;
/// How many at most.
const MAX_LIMIT: u32 = 100;
/// The longest term, in bytes.
const MAX_TERM: usize = 1_024;

/// `POST /_matrix/client/v3/search`
pub async fn search_events(
    ctx: Ctx,
    auth: ClientAuth,
    request: WithBody<search_events::Request>,
) -> Result<Json, MatrixError> {
    let WithBody { request, body } = request;
    let Some(criteria) = request.search_categories.room_events else {
        return Ok(Json(json!({ "search_categories": {} }).to_string()));
    };
    let filter = filter(&body)?;
    let by_rank = match &criteria.order_by {
        None | Some(OrderBy::Rank) => true,
        Some(OrderBy::Recent) => false,
        Some(_) => return Err(MatrixError::invalid_param("`order_by` is rank or recent")),
    };
    let token = request.next_batch.as_deref().map(|token| Token::read(token, by_rank)).transpose()?;
    let readable = ctx.call(auth.localpart(), &ListReadableRooms {}).await?;
    let search = Search {
        ctx: &ctx,
        reader: Reader {
            user_id: auth.user_id,
            device_id: auth.device_id,
            ignored_users: readable.ignored_users,
        },
        query: query(&criteria)?,
        limit: filter.event.limit.map_or(DEFAULT_LIMIT, bounded).clamp(1, MAX_LIMIT),
        filter,
        by_rank,
        token: token.unwrap_or_else(|| Token::start(by_rank)),
        readable: readable.rooms,
    };
    let page = search.page().await?;
    answer::render(&search, &criteria, has_context(&body), page).await
}

fn bounded(number: UInt) -> u32 {
    u32::try_from(u64::from(number)).unwrap_or(u32::MAX)
}

/// The criteria as the client wrote them.
fn room_events(body: &Map<String, Value>) -> Option<&Value> {
    body.get("search_categories")?.get("room_events")
}

/// The filter, with what ruma's type does not know of it.
fn filter(body: &Map<String, Value>) -> Result<TimelineFilter, MatrixError> {
    match room_events(body).and_then(|criteria| criteria.get("filter")) {
        None => Ok(TimelineFilter::default()),
        Some(filter) => serde_json::from_value(filter.clone())
            .map_err(|error| MatrixError::bad_json(format!("Not a filter: {error}"))),
    }
}

/// Whether the client asks for the events around the results.
fn has_context(body: &Map<String, Value>) -> bool {
    room_events(body).is_some_and(|criteria| criteria.get("event_context").is_some_and(Value::is_object))
}

fn query(criteria: &Criteria) -> Result<SearchQuery, MatrixError> {
    if criteria.search_term.len() > MAX_TERM {
        return Err(MatrixError::invalid_param("The search term is too long"));
    }
    let keys = criteria.keys.iter().flatten().map(|key| match key {
        SearchKeys::ContentBody => Ok(SearchKey::Body),
        SearchKeys::ContentName => Ok(SearchKey::Name),
        SearchKeys::ContentTopic => Ok(SearchKey::Topic),
        _ => Err(MatrixError::invalid_param("`keys` are content.body, content.name and content.topic")),
    });
    Ok(SearchQuery { term: criteria.search_term.clone(), keys: keys.collect::<Result<_, _>>()? })
}
