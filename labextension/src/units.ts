/** What people read and write: credits, losses, sizes and spans; as lc_jupyter/units.py does. */

const MICRO = 1_000_000;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const BYTES: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

export function showCredits(micro: number): string {
  return (micro / MICRO).toLocaleString("en", { maximumFractionDigits: 6 });
}

export function showSigned(micro: number): string {
  return (micro > 0 ? "+" : "") + showCredits(micro);
}

export function showLoss(nano: number | null): string {
  if (nano === null) return "–";
  const loss = nano / 1e9;
  return loss !== 0 && Math.abs(loss) < 1e-3 ? String(Number(loss.toPrecision(6))) : loss.toFixed(6);
}

export function showBytes(bytes: number): string {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${bytes} B`;
}

export function showSpan(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24];
  const [minutes, left] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return `${days}d${pad(hours)}h`;
  if (hours > 0) return `${hours}h${pad(minutes)}m`;
  return minutes > 0 ? `${minutes}m${pad(left)}s` : `${left}s`;
}

/** The local day and time. */
export function showMoment(millis: number): string {
  const at = new Date(millis);
  return `${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${at.toTimeString().slice(0, 8)}`;
}

/** A stable name as words. */
export function showName(name: string): string {
  return name.replaceAll("_", " ");
}

export function short(name: string): string {
  return name.length <= 16 ? name : `${name.slice(0, 8)}…${name.slice(-4)}`;
}

/** A size as it can be written again: `2G`. */
export function writeBytes(bytes: number): string {
  for (const unit of ["T", "G", "M", "K"]) {
    const size = BYTES[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** A span as it can be written again: `1h30m`. */
export function writeSpan(seconds: number): string {
  let [left, text] = [seconds, ""];
  for (const unit of ["d", "h", "m", "s"]) {
    const size = SECONDS[unit] ?? 1;
    if (left >= size) text += `${Math.floor(left / size)}${unit}`;
    left %= size;
  }
  return text || "0s";
}

/** Micro-credits of `0.5`; null if it is no amount. */
export function readCredits(text: string): number | null {
  if (!/^\d{1,12}(\.\d{1,6})?$/.test(text.trim())) return null;
  return Math.round(Number(text) * MICRO);
}

/** Bytes of `500M`, powers of 1024; null if it is no size. */
export function readBytes(text: string): number | null {
  const found = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  return found ? Math.floor(Number(found[1]) * (BYTES[(found[2] ?? "").toUpperCase()] ?? 1)) : null;
}

/** Seconds of `1h30m`; null if it is no span. */
export function readSpan(text: string): number | null {
  if (!/^(\d+[smhd])+$/.test(text.trim())) return null;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)([smhd])/g)) seconds += Number(number) * (SECONDS[unit ?? "s"] ?? 1);
  return seconds;
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}
