//! Rooms as a whole `[C-S §11.1]`.

mod create;
mod founding;
mod upgrade;

pub use self::{create::create_room, upgrade::upgrade_room};
