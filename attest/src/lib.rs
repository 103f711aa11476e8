//! Evidence, appraisal, policy and releases
