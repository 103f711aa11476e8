//! The world the whole is tested in: the programs as processes, what they
//! print, the evening that they play together, and what the relay costs.

pub mod bench;
pub mod demo;
pub mod event;
pub mod process;
pub mod programs;
