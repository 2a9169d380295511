//! What a journal promises to those who append and read.

mod contract;
mod damage;
mod disk;
mod fixture;
mod support;
