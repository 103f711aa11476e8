//! The world the whole is tested in: the programs as processes, what they
//! print, and the evening that they play together.

pub mod demo;
pub mod event;
pub mod process;
pub mod programs;
