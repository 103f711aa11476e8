//! The world the whole is tested in
