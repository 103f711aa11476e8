// Numbers in words. Units are those of the rest of Roundcast: 10^3, bits per
// second, minor units of a currency.

export function bytes(count) {
  return scaled(count, ["bytes", "kB", "MB", "GB", "TB"]);
}

export function rate(bitsPerSecond) {
  return scaled(bitsPerSecond, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
}

function scaled(count, units) {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

// The same steps as `age_words` in line.rs.
export function age(ms) {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

export function clock(atMs) {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  return new Date(atMs).toLocaleTimeString([], options);
}

export function hourAndMinute(atMs) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(atMs).toLocaleTimeString([], options);
}

// The currency says how many minor units it has; an unknown code is shown as
// it is, with the amount untouched.
export function money(minor, currency) {
  try {
    const format = new Intl.NumberFormat("en", {
      style: "currency",
      currency,
      currencyDisplay: "code",
    });
    const digits = format.resolvedOptions().maximumFractionDigits;
    return `${(minor / 10 ** digits).toFixed(digits)} ${currency}`;
  } catch {
    return `${minor} minor units of ${currency}`;
  }
}
