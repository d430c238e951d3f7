//! The severn command line.
