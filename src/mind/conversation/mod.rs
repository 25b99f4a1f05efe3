//! What every mind that converses by providers has in common, whichever providers these are: its lines, its tools, its patience with silence, and
//! what it knows of what was heard and used.

mod caller_audio;
mod heard;
mod keys;
mod lines;
mod marks;
mod providers;
mod quiet;
mod tool_desk;
mod used;

pub(in crate::mind) use caller_audio::Joined;
pub(in crate::mind) use heard::{SpokenText, spoken_time};
pub(in crate::mind) use keys::Keys;
pub use lines::{Line, Lines};
pub(in crate::mind) use marks::Marks;
pub use providers::Hops;
pub(in crate::mind) use providers::RETURN_AFTER;
pub(in crate::mind) use quiet::{BETWEEN_FILLERS, Quiet};
pub use tool_desk::END_CALL;
pub(in crate::mind) use tool_desk::{Answered, Handed, ToolDesk, UseOf};
pub(in crate::mind) use used::Used;
