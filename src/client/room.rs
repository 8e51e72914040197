//! Rooms as a whole `[C-S §11.1]`.

mod create;

pub use self::create::create_room;
