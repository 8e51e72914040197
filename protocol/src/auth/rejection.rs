//! The rules that an event can break.

use thiserror::Error;

/// The rule that an event broke.
///
/// The order and the wording follow the authorisation rules of room version 12; a variant names in its doc the
/// versions to which it is confined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A field is longer than an event's may be.
    #[error("`{0}` is too long")]
    TooLong(&'static str),

    // Rule 1: `m.room.create`.
    /// The create event has previous events.
    #[error("a create event must not have previous events")]
    CreateHasPrevEvents,
    /// The create event names a room. Since room version 12.
    #[error("a create event must not have a `room_id`")]
    CreateHasRoomId,
    /// The domain of the room id is not that of the sender. Room versions 1 to 11.
    #[error("the room's domain is not that of the create event's sender")]
    CreateWrongDomain,
    /// `room_version` names another version than the one the event is checked against.
    #[error("the create event's `room_version` is not recognised")]
    CreateUnknownVersion,
    /// `creator` is missing. Room versions 1 to 10.
    #[error("the create event has no `creator`")]
    CreateWithoutCreator,
    /// `additional_creators` is not a list of user ids. Since room version 12.
    #[error("`additional_creators` must be a list of user ids")]
    CreateBadAdditionalCreators,

    // Rule 2 and 3: `auth_events`.
    /// The room id does not name an accepted create event. Since room version 12.
    #[error("the room id does not name an accepted create event")]
    RoomNotCreated,
    /// Two auth events have the same type and state key.
    #[error("two auth events for ({0}, {1:?})")]
    DuplicateAuthEvent(String, String),
    /// An auth event is not one that the event may select.
    #[error("unexpected auth event ({0}, {1:?})")]
    UnexpectedAuthEvent(String, String),
    /// An auth event is not a state event.
    #[error("an auth event is not a state event")]
    AuthEventNotState,
    /// An auth event was rejected.
    #[error("an auth event was rejected")]
    RejectedAuthEvent,
    /// No create event among the auth events. Room versions 1 to 11.
    #[error("no create event among the auth events")]
    NoCreateInAuthEvents,
    /// An auth event is of another room.
    #[error("an auth event is of another room")]
    AuthEventOfOtherRoom,
    /// An auth event is not known.
    #[error("an auth event is missing")]
    MissingAuthEvent,

    // Rule 4.
    /// The state has no create event.
    #[error("the room has no create event")]
    NoCreate,
    /// The room does not federate, and the sender is of another server than its creator.
    #[error("the room does not federate")]
    NotFederated,

    // Room versions 1 to 5: `m.room.aliases`.
    /// The state key of an aliases event is not the sender's domain. Room versions 1 to 5.
    #[error("an aliases event must have the sender's domain as its state key")]
    AliasesWrongDomain,

    // Rule 5: `m.room.member`.
    /// The member event has no state key, or not a user id.
    #[error("a member event must have a user id as its state key")]
    MemberBadStateKey,
    /// The member event's `membership` is missing or not a string.
    #[error("a member event must have a `membership`")]
    MemberWithoutMembership,
    /// `join_authorised_via_users_server` is not a user id.
    #[error("`join_authorised_via_users_server` must be a user id")]
    MemberBadAuthorisingUser,
    /// The `membership` is none that the room version knows.
    #[error("unknown membership")]
    UnknownMembership,
    /// A user joins another user.
    #[error("users can only join themselves")]
    JoinForOther,
    /// A banned user joins.
    #[error("the user is banned")]
    JoinBanned,
    /// The room is not open to those who are not invited.
    #[error("the join rule does not let the user join")]
    JoinNotAllowed,
    /// The join rules of the room cannot be read.
    #[error("the room's join rules are missing or malformed")]
    MalformedJoinRules,
    /// Nobody authorises the join to a restricted room.
    #[error("no user authorises the join")]
    JoinWithoutAuthorisation,
    /// Who authorises the join to a restricted room is not joined.
    #[error("the user who authorises the join is not joined")]
    AuthorisingUserNotJoined,
    /// Who authorises the join to a restricted room may not invite.
    #[error("the user who authorises the join may not invite")]
    AuthorisingUserMayNotInvite,
    /// The sender is not in the room.
    #[error("the sender is not joined")]
    SenderNotJoined,
    /// The invited user is banned.
    #[error("the invited user is banned")]
    InviteBanned,
    /// The invited user is joined.
    #[error("the invited user is joined already")]
    InviteJoined,
    /// The sender may not invite.
    #[error("the sender may not invite")]
    InviteNotAllowed,
    /// `third_party_invite` lacks `signed`, or that `mxid`, `token` or `signatures`.
    #[error("`third_party_invite` is malformed")]
    ThirdPartyInviteMalformed,
    /// The third-party invite is for another user.
    #[error("the third-party invite is for another user")]
    ThirdPartyInviteOtherUser,
    /// The room has no such third-party invite.
    #[error("the room has no third-party invite with this token")]
    ThirdPartyInviteUnknown,
    /// Another user made the third-party invite.
    #[error("the third-party invite is of another sender")]
    ThirdPartyInviteOtherSender,
    /// No key of the third-party invite made a signature.
    #[error("no key of the third-party invite signed this invite")]
    ThirdPartyInviteUnsigned,
    /// The user who leaves is not in the room.
    #[error("the user is neither joined nor invited nor knocking")]
    LeaveNotMember,
    /// The sender may not lift the ban.
    #[error("the sender may not unban")]
    UnbanNotAllowed,
    /// The sender may not kick.
    #[error("the sender may not kick this user")]
    KickNotAllowed,
    /// The sender may not ban.
    #[error("the sender may not ban this user")]
    BanNotAllowed,
    /// The room does not take knocks.
    #[error("the join rule does not let users knock")]
    KnockNotAllowed,
    /// A user knocks for another.
    #[error("users can only knock for themselves")]
    KnockForOther,
    /// A member or banned user knocks.
    #[error("the user is banned, invited or joined")]
    KnockMember,
    /// A member event in the state has no readable `membership`.
    #[error("a member event in the state is malformed")]
    MalformedMembership,

    // Rules 7 to 9.
    /// The sender may not invite third parties.
    #[error("the sender may not invite third parties")]
    ThirdPartyInviteNotAllowed,
    /// The sender's power is less than the event's type needs.
    #[error("the sender's power level is too low to send this event")]
    PowerTooLow,
    /// The state key is another user's id.
    #[error("the state key is another user's id")]
    StateKeyOfOtherUser,

    // Rule 10: `m.room.power_levels`.
    /// A level is not an integer, or not in an object of integers.
    #[error("the power levels' `{0}` is malformed")]
    PowerLevelsMalformed(&'static str),
    /// `users` names a creator. Since room version 12.
    #[error("power levels must not name a creator")]
    PowerLevelsNameCreator,
    /// A level above the sender's own was changed.
    #[error("the sender may not change the power levels' `{0}`")]
    PowerLevelsNotAllowed(String),
    /// The power levels in the state cannot be read.
    #[error("the room's power levels are malformed: `{0}`")]
    MalformedPowerLevels(&'static str),
    /// The create event in the state cannot be read.
    #[error("the room's create event is malformed: `{0}`")]
    MalformedCreate(&'static str),

    // Room versions 1 and 2: `m.room.redaction`.
    /// The sender may not redact this event. Room versions 1 and 2.
    #[error("the sender may not redact this event")]
    RedactionNotAllowed,
}

impl Rejection {
    /// Whether nobody could send such an event, whatever the room's state: it is malformed.
    pub fn is_malformation(&self) -> bool {
        matches!(
            self,
            Self::CreateBadAdditionalCreators
                | Self::MemberBadStateKey
                | Self::MemberWithoutMembership
                | Self::MemberBadAuthorisingUser
                | Self::UnknownMembership
                | Self::ThirdPartyInviteMalformed
                | Self::PowerLevelsMalformed(_)
                | Self::PowerLevelsNameCreator
        )
    }
}
