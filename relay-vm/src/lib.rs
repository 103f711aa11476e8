//! The relay program
