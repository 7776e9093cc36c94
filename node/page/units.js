// Amounts, prices and ratios as `protocol/wording.py` writes them: exact, on unbounded integers.

export const PRICE_DIGITS = 8;

/** The id of the core asset. */
export const CORE = "1.3.0";

/** Smallest units as a decimal number with all its places, thousands apart. */
export function decimal(units, precision) {
  let value = BigInt(units);
  const sign = value < 0n ? "-" : "";
  if (value < 0n) value = -value;
  const scale = 10n ** BigInt(precision);
  const whole = String(value / scale).replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + whole + (precision ? `.${String(value % scale).padStart(precision, "0")}` : "");
}

/** A number of people, "1234.5", in smallest units as text; null if it is none or too fine. */
export function toUnits(text, precision) {
  const found = /^([0-9]+)(?:\.([0-9]+))?$/.exec(text.trim().replaceAll(",", ""));
  if (found === null || (found[2] ?? "").length > precision) return null;
  return String(BigInt(found[1] + (found[2] ?? "").padEnd(precision, "0")));
}

/** Negative, 0 or positive as one price is below, at or above another of the same two assets. */
export function comparePrices(one, other) {
  const left = BigInt(one.base.amount) * BigInt(other.quote.amount);
  const right = BigInt(other.base.amount) * BigInt(one.quote.amount);
  return left < right ? -1 : Number(left > right);
}

/** A price the other way round. */
export const inverse = (price) => ({ base: price.quote, quote: price.base });

/** A ratio over 1,000 such as "1.750". */
export const ratio = (thousandths) => (thousandths === null ? "–" : decimal(thousandths, 3));

/** Hundredths of a percent such as "-12.50 %". */
export const percent = (hundredths) => `${decimal(hundredths, 2)} %`;

/** What a chart may draw of a decimal text; never shown as a number. */
export const drawn = (text) => Number(text.replaceAll(",", ""));

/** A decimal text of the node with a fixed number of places, cut where it has more. */
export function placed(text, places) {
  const [whole, fraction = ""] = text.split(".");
  return `${decimal(whole, 0)}.${fraction.slice(0, places).padEnd(places, "0")}`;
}

/** The plural of a regular noun, as the node writes it. */
export const plural = (word) => word + (word.endsWith("s") ? "es" : "s");

/** A number and its word. */
export const countOf = (number, word) =>
  `${decimal(number, 0)} ${number === 1 ? word : plural(word)}`;

/** A moment of the chain, UTC, for people; the day only where it is another one than `today`. */
export function moment(time, today = "") {
  const [day, clock] = time.split("T");
  return day === today ? clock : `${day} ${clock}`;
}

/** Names and amounts in the words of one chain. */
export class Words {
  /** `info` is `pegboard.get_node_info`; `assets` are those of the chain by their ids. */
  constructor(info, assets) {
    this.info = info;
    this.assets = assets;
  }

  symbol(id) {
    const asset = this.assets.get(id);
    return (asset.bitasset_data_id ? this.info.display_prefix : "") + asset.symbol;
  }

  /** "1,200.0000", without the symbol. */
  number(amount) {
    return decimal(amount.amount, this.assets.get(amount.asset_id).precision);
  }

  /** "1,200.0000 bitUSD". */
  amount(amount) {
    return `${this.number(amount)} ${this.symbol(amount.asset_id)}`;
  }

  /** Whole units of the base for one of the quote, 8 decimals, rounded down. */
  price(price) {
    if (price === null || BigInt(price.base.amount) <= 0n || BigInt(price.quote.amount) <= 0n)
      return "–";
    const base = this.assets.get(price.base.asset_id).precision;
    const quote = this.assets.get(price.quote.asset_id).precision;
    const over = BigInt(price.base.amount) * 10n ** BigInt(quote + PRICE_DIGITS);
    return decimal(over / (BigInt(price.quote.amount) * 10n ** BigInt(base)), PRICE_DIGITS);
  }

  /** What a price of two assets counts: "bitUSD for 1 TEST". */
  unit(baseId, quoteId) {
    return `${this.symbol(baseId)} for 1 ${this.symbol(quoteId)}`;
  }
}
