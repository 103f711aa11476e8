//! The world the whole is tested in: the programs as processes, what they
//! print, the evening that they play together, what the relay costs, and a whole
//! audience in virtual time.

pub mod bench;
pub mod demo;
pub mod event;
pub mod process;
pub mod programs;
pub mod sim;
