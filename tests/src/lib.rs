//! The world the whole is tested in: the programs as processes, what they
//! print, the evening that they play together, and what the relay and the
//! planner cost.

pub mod bench;
pub mod demo;
pub mod event;
pub mod planner_bench;
pub mod process;
pub mod programs;
