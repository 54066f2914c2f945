// Numbers, times and words as the page writes them.

/**
 * Write a number with commas between its thousands.
 * @param {number} number
 */
export function counted(number) {
  return number.toLocaleString("en-US");
}

/**
 * Write a count with its noun.
 * @param {number} number
 * @param {string} one
 */
export function plural(number, one, many = `${one}s`) {
  return `${counted(number)} ${number === 1 ? one : many}`;
}

/**
 * Write any number in few characters.
 * @param {number | null | undefined} number
 */
export function short(number) {
  if (number === null || number === undefined) return "–";
  if (number === Infinity) return "∞";
  if (Number.isNaN(number)) return "not a number";
  if (number === 0 || (Number.isInteger(number) && Math.abs(number) < 1e6)) return counted(number);
  const size = Math.abs(number);
  if (size >= 1e-3 && size < 1e5) return Number(number.toPrecision(4)).toString();
  const [mantissa, exponent] = number.toExponential(2).split("e");
  return `${mantissa}e${exponent.replace("+", "")}`;
}

/**
 * Write how long something took.
 * @param {number} time in seconds
 */
export function seconds(time) {
  return time < 10 ? `${time.toFixed(1)} s` : `${Math.round(time)} s`;
}

/**
 * Write a point in time (ISO 8601, UTC) as people read it.
 * @param {string} text
 */
export function moment(text) {
  return text.replace("T", " ").replace("+00:00", " UTC");
}

/**
 * Quote a word for a shell, as Python's shlex.quote does.
 * @param {string} text
 */
export function quoted(text) {
  return text && /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
