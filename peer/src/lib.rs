//! The client: station, coordinator, viewer, sponsor, wallet
