//! Sans-IO RTP.
