//! Spaces, for other servers `[S-S §16.2]`.

use ruma::{
    OwnedRoomId,
    api::federation::space::{SpaceHierarchyParentSummary, get_hierarchy::v1 as get_hierarchy},
    serde::Raw,
};
use selvedge_durable_objects::{
    concurrent::{ALL, try_each},
    matrix_error::MatrixError,
    rpc::room::{GetSpaceEntry, SpaceAsker, SpaceEntry},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{context::Ctx, extract::FederationAuth};

/// How many children are told of.
const MAX_CHILDREN: usize = 50;

/// `GET /_matrix/federation/v1/hierarchy/{roomId}`
pub async fn get_hierarchy(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_hierarchy::Request,
) -> Result<get_hierarchy::Response, MatrixError> {
    let ask =
        |suggested_only| GetSpaceEntry { asker: SpaceAsker::Server(auth.origin.clone()), suggested_only };
    let entry = ctx.call(&request.room_id, &ask(request.suggested_only)).await?;
    let SpaceEntry::Accessible { summary, children } = entry else {
        return Err(MatrixError::not_found("There is no such room that your server may know of"));
    };
    let rooms: Vec<OwnedRoomId> = children.iter().filter_map(|child| child_room(child)).collect();
    let told = children.into_iter().map(Raw::from_json).collect();
    let mut response = get_hierarchy::Response::new(SpaceHierarchyParentSummary::new(*summary, told));
    let ask_child = ask(false);
    let asked = rooms.iter().take(MAX_CHILDREN);
    let entries = try_each(ALL, asked, |room_id| ctx.call(room_id, &ask_child)).await?;
    for (room_id, entry) in rooms.iter().zip(entries) {
        match entry {
            SpaceEntry::Accessible { summary, .. } => response.children.push(*summary),
            SpaceEntry::Inaccessible => response.inaccessible_children.push(room_id.clone()),
            SpaceEntry::Unknown => {}
        }
    }
    Ok(response)
}

/// The room that a child event names.
pub fn child_room(child: &RawValue) -> Option<OwnedRoomId> {
    #[derive(Deserialize)]
    struct Child {
        state_key: OwnedRoomId,
    }
    serde_json::from_str::<Child>(child.get()).ok().map(|child| child.state_key)
}
