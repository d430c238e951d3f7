//! The demo federation: a made-up West Midlands with 13 sources, in one command.
