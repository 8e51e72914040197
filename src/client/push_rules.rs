//! Push rules `[C-S §11.13]`.

use ruma::{
    api::client::push::{
        PushRule, delete_pushrule::v3 as delete_pushrule, get_pushrule::v3 as get_pushrule,
        get_pushrule_actions::v3 as get_pushrule_actions, get_pushrule_enabled::v3 as get_pushrule_enabled,
        get_pushrules_all::v3 as get_pushrules_all,
        get_pushrules_global_scope::v3 as get_pushrules_global_scope, set_pushrule::v3 as set_pushrule,
        set_pushrule_actions::v3 as set_pushrule_actions, set_pushrule_enabled::v3 as set_pushrule_enabled,
    },
    push::{RuleKind, Ruleset},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{ChangePushRule, GetPushRules, PushRuleChange},
};

use crate::{context::Ctx, extract::ClientAuth};

/// `GET /_matrix/client/v3/pushrules/`
pub async fn get_pushrules_all(
    ctx: Ctx,
    auth: ClientAuth,
    _: get_pushrules_all::Request,
) -> Result<get_pushrules_all::Response, MatrixError> {
    Ok(get_pushrules_all::Response::new(rules(&ctx, &auth).await?))
}

/// `GET /_matrix/client/v3/pushrules/global/`
pub async fn get_pushrules_global_scope(
    ctx: Ctx,
    auth: ClientAuth,
    _: get_pushrules_global_scope::Request,
) -> Result<get_pushrules_global_scope::Response, MatrixError> {
    Ok(get_pushrules_global_scope::Response::new(rules(&ctx, &auth).await?))
}

async fn rules(ctx: &Ctx, auth: &ClientAuth) -> Result<Ruleset, MatrixError> {
    Ok(ctx.call(auth.localpart(), &GetPushRules {}).await?.0)
}

async fn rule(ctx: &Ctx, auth: &ClientAuth, kind: RuleKind, id: &str) -> Result<PushRule, MatrixError> {
    let rules = rules(ctx, auth).await?;
    let rule = rules.get(kind, id).ok_or_else(|| MatrixError::not_found("No such push rule"))?;
    Ok(rule.into())
}

async fn change(
    ctx: &Ctx,
    auth: &ClientAuth,
    kind: RuleKind,
    rule_id: String,
    change: PushRuleChange,
) -> Result<(), MatrixError> {
    ctx.call(auth.localpart(), &ChangePushRule { kind, rule_id, change }).await
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
pub async fn get_pushrule(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_pushrule::Request,
) -> Result<get_pushrule::Response, MatrixError> {
    Ok(get_pushrule::Response::new(rule(&ctx, &auth, request.kind, &request.rule_id).await?))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
pub async fn set_pushrule(
    ctx: Ctx,
    auth: ClientAuth,
    request: set_pushrule::Request,
) -> Result<set_pushrule::Response, MatrixError> {
    let command = ChangePushRule::put(request.rule, request.before, request.after);
    ctx.call(auth.localpart(), &command).await?;
    Ok(set_pushrule::Response::new())
}

/// `DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}`
pub async fn delete_pushrule(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_pushrule::Request,
) -> Result<delete_pushrule::Response, MatrixError> {
    change(&ctx, &auth, request.kind, request.rule_id, PushRuleChange::Delete).await?;
    Ok(delete_pushrule::Response::new())
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
pub async fn get_pushrule_actions(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_pushrule_actions::Request,
) -> Result<get_pushrule_actions::Response, MatrixError> {
    let rule = rule(&ctx, &auth, request.kind, &request.rule_id).await?;
    Ok(get_pushrule_actions::Response::new(rule.actions))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions`
pub async fn set_pushrule_actions(
    ctx: Ctx,
    auth: ClientAuth,
    request: set_pushrule_actions::Request,
) -> Result<set_pushrule_actions::Response, MatrixError> {
    change(&ctx, &auth, request.kind, request.rule_id, PushRuleChange::Act(request.actions)).await?;
    Ok(set_pushrule_actions::Response::new())
}

/// `GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
pub async fn get_pushrule_enabled(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_pushrule_enabled::Request,
) -> Result<get_pushrule_enabled::Response, MatrixError> {
    let rule = rule(&ctx, &auth, request.kind, &request.rule_id).await?;
    Ok(get_pushrule_enabled::Response::new(rule.enabled))
}

/// `PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled`
pub async fn set_pushrule_enabled(
    ctx: Ctx,
    auth: ClientAuth,
    request: set_pushrule_enabled::Request,
) -> Result<set_pushrule_enabled::Response, MatrixError> {
    change(&ctx, &auth, request.kind, request.rule_id, PushRuleChange::Enable(request.enabled)).await?;
    Ok(set_pushrule_enabled::Response::new())
}
