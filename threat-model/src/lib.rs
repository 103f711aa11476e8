//! The catalogue of threats, the attackers, and the attacks
