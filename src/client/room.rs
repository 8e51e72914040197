//! Rooms as a whole `[C-S §11.1]`.

mod create;
mod founding;
mod upgrade;

pub use self::{
    create::{Founder, create_for, create_room},
    upgrade::upgrade_room,
};
