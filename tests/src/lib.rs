//! The world the whole is tested in: the programs as processes, what they
//! print, the evening that they play together, what the relay and the planner
//! cost, and a whole audience in virtual time.

pub mod bench;
pub mod demo;
pub mod event;
pub mod planner_bench;
pub mod process;
pub mod programs;
pub mod sim;
