//! Behaviour of the dialect, against what Butler SOS wrote and in the forms of its own.

mod butler_sos;
mod forms;
mod mqtt;
mod shown;
