//! What a journal promises to those who append and read.

mod contract;
mod damage;
mod disk;
mod fixture;
mod full;
#[cfg(target_os = "linux")]
mod full_disk;
mod inspect;
mod support;
