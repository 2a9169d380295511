//! What can be asked of a running instance.

use std::path::PathBuf;

use clap::Subcommand;
use senseops_core::KindPattern;
use senseops_net::Url;

/// Which instance is meant, and how it is reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Access {
    /// Where the instance listens. Without it: where the `web` table of -c says, or `http://127.0.0.1:8090`.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<Url>,
    /// A configuration file of the instance; its `web` table tells address and token.
    #[arg(short, long = "config", value_name = "FILE")]
    pub(in crate::cli) config: Vec<PathBuf>,
    /// A file with the token. Without it: the variable `SOS_TOKEN`, or what the `web` table of -c says.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// A PEM file of the CAs that may have signed the certificate of the instance.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca: Option<PathBuf>,
    /// A PEM file of the certificate to present to the instance.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(in crate::cli) cert: Option<PathBuf>,
    /// A PEM file of the key of that certificate.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(in crate::cli) key: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Top {
    #[command(flatten)]
    pub(in crate::cli) access: Access,
    /// Print the status once, as JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Tap {
    #[command(flatten)]
    pub(in crate::cli) access: Access,
    /// Only events of this kind, such as `qlik.user_event` or `qlik.*`; may be given several times.
    #[arg(long = "kind", value_name = "PATTERN")]
    pub(in crate::cli) kinds: Vec<KindPattern>,
    /// Only events of this source, such as udp.users; may be given several times.
    #[arg(long = "source", value_name = "NAME")]
    pub(in crate::cli) sources: Vec<String>,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) count: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Journal {
    /// Show what waits in it, and for whom.
    Show(View),
    /// Give up the cursor of a sink or relay that is gone, and with it what waits there.
    Forget {
        /// Its name, as `sos journal show` has it.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLetters {
    /// Count them by sink and reason, the most frequent first.
    List(View),
    /// Print the newest, the oldest of them first.
    Show {
        /// Only what this sink could not deliver, such as influx.main.
        #[arg(long, value_name = "NAME")]
        sink: Option<String>,
        /// The most that are printed.
        #[arg(long, value_name = "N", default_value_t = 20)]
        count: usize,
        #[command(flatten)]
        show: View,
    },
    /// Put them into the journal of a running instance again.
    Replay(Replay),
}

/// Where files are, and how they are shown.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct View {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// Print JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A directory, or the instance that uses it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Place {
    /// The directory. Without it: what the configuration of -c says.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) path: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) access: Access,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    pub(in crate::cli) access: Access,
    /// Only what this sink could not deliver, such as influx.main.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) sink: Option<String>,
}
