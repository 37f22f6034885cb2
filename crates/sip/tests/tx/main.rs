//! Transactions and forking, tested as ladders in virtual time.

mod cancel;
mod diagrams;
mod failure_route;
mod forking;
mod invite_client;
mod invite_server;
mod ladder;
mod local;
mod matching;
mod non_invite_client;
mod non_invite_server;
mod races;
mod random;
mod rfc3263_failover;
mod settings;
mod suspend;
mod tables;
mod watch;
