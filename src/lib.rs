//! caly
