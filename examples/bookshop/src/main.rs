//! A live bookshop: an API, a Mercure hub, a database and a web page in one command.

mod entities;
mod seed;
mod web;

fn main() {}
