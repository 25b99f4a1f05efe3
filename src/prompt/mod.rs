//! The agents' lines as audio. Every fixed line and every word of the closed vocabulary is one clip, found by what it says and
//! who says it: first among those shipped with the server, then in the cache, and only then rendered by espeak-ng and put into
//! the cache. All of that happens before the first call: a call never waits for synthesis.

mod address;
mod espeak;
mod folder;
mod level;
mod library;
mod line;
mod shipped;

pub use address::Address;
pub use espeak::{Espeak, EspeakError, Voice};
pub use folder::{FolderError, Written, write};
pub use library::{Library, LoadReport, Missing, load, unrendered};
pub use line::{Line, lines_of, lines_of_mind};
pub use shipped::shipped_clips;
