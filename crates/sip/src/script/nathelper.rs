//! NAT traversal of signalling (module nathelper).
