//! Routes that fail on purpose, for the end-to-end tests. Only in builds with the feature `faults`.

use std::cell::Cell;

use http::Method;
use selvedge_durable_objects::{
    faults::{Fault, happen},
    matrix_error::MatrixError,
};

use crate::{
    answer::Json,
    context::Ctx,
    extract::NoAuth,
    router::{Incoming, Router},
};

thread_local! {
    static WAITING: Cell<u32> = const { Cell::new(0) };
}

/// Adds the routes: at the edge and in an actor, where the variable says how; one that answers after a second; and one that
/// tells how many of those wait.
pub fn add_routes(router: &mut Router) {
    router.add_plain(&Method::GET, "/_selvedge/faults/edge/{kind}", at_the_edge);
    router.add_plain(&Method::GET, "/_selvedge/faults/actor/{kind}", in_an_actor);
    router.add_plain(&Method::GET, "/_selvedge/faults/wait", wait);
    router.add_plain(&Method::GET, "/_selvedge/faults/waiting", waiting);
}

async fn at_the_edge(_: Ctx, _: NoAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    happen(&kind(incoming)).map(|()| Json("{}".to_owned()))
}

async fn in_an_actor(ctx: Ctx, _: NoAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    let reply = ctx.call(&(), &Fault { kind: kind(incoming) }).await?;
    Ok(Json(serde_json::to_string(&reply)?))
}

async fn wait(ctx: Ctx, _: NoAuth, _: Incoming) -> Result<Json, MatrixError> {
    WAITING.set(WAITING.get().saturating_add(1));
    ctx.platform.sleep(1000).await;
    WAITING.set(WAITING.get().saturating_sub(1));
    Ok(Json("{}".to_owned()))
}

async fn waiting(_: Ctx, _: NoAuth, _: Incoming) -> Result<Json, MatrixError> {
    Ok(Json(WAITING.get().to_string()))
}

fn kind(incoming: Incoming) -> String {
    incoming.path_args.into_iter().next().unwrap_or_default()
}
