//! Every signature, MAC, seal and X.509 check
