//! What an operator may set. Unknown fields are refused.

use crate::Error;
use crate::provider::qemu::QemuSetting;
use serde::Deserialize;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use voucher::{Class, Currency, KeyEpoch, Name, Price, Region, RegionProbe, Size};
use wire::UnixMs;

/// Classes of one desk: each halves the crowd that a voucher hides in, and
/// all of two key epochs share one issuer's 64 key ids.
pub const CLASSES_MAX: usize = 8;
/// A configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// The configuration, with its defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The shop's name in every challenge; by default one made of the desk's
    /// key.
    pub shop: Option<Name>,
    /// The ledger's name in every challenge; by default the shop's.
    pub ledger: Option<Name>,
    /// The release channel that this desk starts relays of.
    pub channel: Name,
    /// What is sold.
    pub class: Vec<ClassSetting>,
    /// Where clients can measure how far regions are.
    pub probe: Vec<RegionProbe>,
    /// The provider `local`.
    pub local: LocalSetting,
    /// The provider `qemu`.
    pub qemu: QemuSetting,
}

/// One class, without its key epoch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSetting {
    /// `small` or `large`.
    pub size: SizeSetting,
    /// The region's name.
    pub region: String,
    /// Paid hours.
    pub hours: u16,
    /// Paid gigabytes.
    pub gigabytes: u32,
    /// The price.
    pub price: Price,
}

/// See [`Size`].
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeSetting {
    /// See [`Size::Small`].
    Small,
    /// See [`Size::Large`].
    Large,
}

/// Settings of the provider `local`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LocalSetting {
    /// Addresses that relays listen on, taken in turn.
    pub relay_addresses: Vec<IpAddr>,
}

impl Default for LocalSetting {
    fn default() -> Self {
        Self {
            relay_addresses: vec![IpAddr::from([127, 0, 0, 1])],
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let class = |size, gigabytes, amount_minor| {
            let currency: Currency = "USD".parse().ok()?;
            Some(ClassSetting {
                size,
                region: "local".to_owned(),
                hours: 1,
                gigabytes,
                price: Price::new(amount_minor, currency).ok()?,
            })
        };
        Self {
            shop: None,
            ledger: None,
            channel: stable(),
            class: [
                class(SizeSetting::Small, 45, 410),
                class(SizeSetting::Large, 180, 1_630),
            ]
            .into_iter()
            .flatten()
            .collect(),
            probe: Vec::new(),
            local: LocalSetting::default(),
            qemu: QemuSetting::default(),
        }
    }
}

#[allow(clippy::expect_used, reason = "a literal that the tests parse")]
fn stable() -> Name {
    "stable".parse().expect("a name")
}

impl Config {
    /// Reads the file at `path`, which must exist, or the XDG one, if it
    /// exists; the defaults without one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Config`], [`Error::Setting`].
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        match File::find(path) {
            Some(file) => Self::read(file.path()),
            None => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let failed = || Error::file("read the configuration", path);
        let malformed = |detail: String| Error::Config {
            path: path.to_owned(),
            detail,
        };
        if std::fs::metadata(path).map_err(failed())?.len() > CONFIG_BYTES_MAX {
            return Err(malformed("it is longer than 64 KiB".to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(failed())?;
        let config: Self =
            toml::from_str(&text).map_err(|error| malformed(with_line(&text, &error)))?;
        config.classes(UnixMs(0))?;
        if config.local.relay_addresses.is_empty() {
            return Err(Error::Setting("local.relay_addresses is empty"));
        }
        config.qemu.check()?;
        Ok(config)
    }

    /// The classes for sale at `now`, with their prices.
    ///
    /// # Errors
    /// [`Error::Setting`] for none, too many, or one twice.
    pub fn classes(&self, now: UnixMs) -> Result<Vec<(Class, Price)>, Error> {
        if self.class.is_empty() || self.class.len() > CLASSES_MAX {
            return Err(Error::Setting("there have to be 1 to 8 classes"));
        }
        let epoch = KeyEpoch::at(now);
        let mut classes: Vec<(Class, Price)> = Vec::new();
        for setting in &self.class {
            let region: Region = setting.region.parse()?;
            let size = match setting.size {
                SizeSetting::Small => Size::Small,
                SizeSetting::Large => Size::Large,
            };
            let class = Class::new(size, region, setting.hours, setting.gigabytes, epoch)?;
            if classes.iter().any(|(other, _)| *other == class) {
                return Err(Error::Setting("a class stands in it twice"));
            }
            classes.push((class, setting.price));
        }
        Ok(classes)
    }
}

/// Which configuration file counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File(PathBuf);

impl File {
    /// The file that was named; else the XDG one, if there is one.
    #[must_use]
    pub fn find(named: Option<&Path>) -> Option<Self> {
        match named {
            Some(path) => Some(Self(path.to_owned())),
            None => xdg_file(|name| std::env::var_os(name))
                .filter(|path| path.exists())
                .map(Self),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// By the XDG Base Directory Specification: a folder that is not absolute is
/// ignored.
fn xdg_file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| {
        let folder = variable(name).map(PathBuf::from)?;
        folder.is_absolute().then_some(folder)
    };
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("roundcast-desk").join("config.toml"))
}

/// What is wrong, and in which line.
fn with_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(text: &str) -> Result<Config, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()))
    }

    #[test]
    fn defaults_sell_two_classes() {
        let classes = Config::default()
            .classes(UnixMs(1_794_700_800_000))
            .unwrap();
        let texts: Vec<_> = classes.iter().map(|(c, p)| format!("{c} {p}")).collect();
        assert_eq!(
            texts,
            [
                "small.local.1h.45gb.2026q4 410 USD",
                "large.local.1h.180gb.2026q4 1630 USD"
            ]
        );
    }

    #[test]
    fn reads_a_whole_file() {
        let config = load(
            "shop = 'shop.example'\nledger = 'ledger.example'\nchannel = 'testing'\n\
             [[class]]\nsize = 'small'\nregion = 'eu'\nhours = 2\ngigabytes = 90\n\
             price = { amount_minor = 800, currency = 'EUR' }\n\
             [local]\nrelay_addresses = ['127.0.0.7', '127.0.0.8']\n",
        )
        .unwrap();
        assert_eq!(config.classes(UnixMs(0)).unwrap().len(), 1);
        assert_eq!(config.local.relay_addresses.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let refused = load("channel = 'stable'\nshop = 'x.example'\ncolour = 'red'\n");
        let refused = refused.unwrap_err();
        assert!(refused.to_string().contains("line 3: "), "{refused}");
        assert_eq!(refused.exit_code(), 2);
    }

    #[test]
    fn the_xdg_file_is_in_the_config_home_or_below_home() {
        let file = |set: &[(&str, &str)]| {
            xdg_file(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let home = ("HOME", "/srv/op");
        let expected = |path: &str| Some(PathBuf::from(path));
        let below = expected("/srv/op/.config/roundcast-desk/config.toml");
        assert_eq!(file(&[home]), below);
        assert_eq!(file(&[home, ("XDG_CONFIG_HOME", "relative")]), below);
        let set = file(&[home, ("XDG_CONFIG_HOME", "/etc/op")]);
        assert_eq!(set, expected("/etc/op/roundcast-desk/config.toml"));
        assert_eq!(file(&[]), None);
    }

    #[test]
    fn refuses_unknown_fields_and_bad_values() {
        let class = "[[class]]\nsize = 'small'\nregion = 'eu'\nhours = 1\ngigabytes = 9\n\
                     price = { amount_minor = 1, currency = 'EUR' }\n";
        for text in [
            "shoop = 'x'".to_owned(),
            "[local]\nrelay_adress = []".to_owned(),
            "[local]\nrelay_addresses = []".to_owned(),
            "[qemu]\nguests_max = 3".to_owned(),
            "[qemu]\nmemory = 512".to_owned(),
            "class = []".to_owned(),
            "[[probe]]\nregion = 'eu'".to_owned(),
            "[[probe]]\nregion = 'EU!'\naddress = 'a:1'".to_owned(),
            format!("{class}colour = 'red'"),
            format!("{class}{class}"),
            class.replace("hours = 1", "hours = 99"),
            class.replace("EUR", "euro"),
        ] {
            let refused = load(&text).unwrap_err();
            let reason = refused.reason();
            assert!(
                matches!(reason, "config_invalid" | "voucher_class_invalid"),
                "{text}: {reason}"
            );
        }
    }
}
