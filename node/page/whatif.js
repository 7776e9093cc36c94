// The slider: what the node says would happen if all published prices moved, as it is dragged.

import { byId, facts, rows, say, show } from "./dom.js";
import { suppose } from "./market.js";
import { ConnectionLost, oneAtATime } from "./socket.js";
import { countOf, percent } from "./units.js";

const PAUSE_MS = 120;
const CALLS_SHOWN = 50;
const HUNDREDTHS = 100;

/** A slider over one market at a time. */
export class WhatIf {
  constructor(node) {
    this.node = node;
    this.words = null;
    this.market = null;
    this.slider = byId("shock");
    this.ask = oneAtATime(() => this.simulate());
    this.slider.addEventListener("input", () => {
      this.label();
      clearTimeout(this.timer);
      this.timer = setTimeout(this.ask, PAUSE_MS);
    });
    this.label();
  }

  /** Go on with a market, or with a new block of the same one. */
  use(words, market) {
    const isOther = this.market?.asset_id !== market.asset_id;
    Object.assign(this, { words, market });
    if (isOther) this.slider.value = "0";
    this.label();
    return this.ask();
  }

  label() {
    const by = `${Number(this.slider.value) > 0 ? "+" : ""}${this.slider.value} %`;
    say(byId("shock-by"), by);
    this.slider.setAttribute("aria-valuetext", by);
  }

  async simulate() {
    const { node, words, market } = this;
    const change = Number(this.slider.value) * HUNDREDTHS;
    byId("shock").disabled = market.squeeze_protection_price === null;
    if (market.squeeze_protection_price === null) {
      this.clear("Without a feed there is no price to move.");
      return;
    }
    if (change === 0) {
      this.clear(
        "Move the slider: the node plays the next block at another price, and takes it back.",
      );
      return;
    }
    try {
      const {
        shocks: [found],
      } = await node.call(
        "pegboard",
        "shock",
        market.asset_id,
        [{ feed_change: change }],
        CALLS_SHOWN,
      );
      if (this.market.asset_id === market.asset_id) this.draw(words, market, change, found);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) this.clear(error.sentence ?? String(error));
    }
  }

  clear(text) {
    show(byId("shock-text"), text);
    facts(byId("shock-facts"), []);
    byId("shock-calls").hidden = true;
    say(byId("shock-price"), "");
    suppose([]);
  }

  draw(words, market, change, found) {
    const { before, after } = found;
    const unit = words.unit(market.asset_id, market.backing_asset_id);
    const both = (name) => `${words.price(before[name])} to ${words.price(after[name])}`;
    const sqp = both("squeeze_protection_price");
    say(
      byId("shock-price"),
      `Settlement price ${both("settlement_price")}, SQP ${sqp} ${unit}`,
    );
    show(byId("shock-text"), verdict(words, market, change, found));
    facts(byId("shock-facts"), [
      ["Called", countOf(found.called, "position"), countOf(found.call_count, "fill")],
      ["They buy", words.amount(found.debt_covered)],
      [
        "They pay",
        words.amount(found.collateral_paid),
        `fees ${words.amount(found.margin_call_fees)}`,
      ],
      [
        "Below the MCR afterwards",
        countOf(after.below_maintenance, "position"),
        words.amount(after.debt_below_maintenance),
      ],
      [
        "Worst redemption",
        after.worst_redemption === null ? "–" : words.amount(after.worst_redemption.for_one),
        `for 1 ${words.symbol(market.asset_id)}`,
      ],
    ]);
    byId("shock-calls").hidden = found.calls.length === 0;
    rows(
      byId("shock-table"),
      found.calls.map((one, number) => ({ ...one, number })),
      (one) => one.number,
      [
        { text: (one) => one.account_name },
        { name: "right num", text: (one) => words.price(one.call_price) },
        { name: "right num", text: (one) => words.amount(one.debt_covered) },
        { name: "right num", text: (one) => words.amount(one.collateral_paid) },
        { text: (one) => (one.is_closed ? "closed" : `${words.amount(one.debt_after)} left`) },
      ],
    );
    suppose(
      after.settlement_price === null
        ? []
        : [
            [after.settlement_price, `price at ${percent(change)}`, "feed"],
            [after.squeeze_protection_price, "SQP then", "sqp"],
          ],
    );
  }
}

function verdict(words, market, change, found) {
  const { called, call_count: fills, calls, global_settlement: swan } = found;
  const so = `At ${percent(change)}`;
  const cut =
    found.stopped === null
      ? ""
      : ` The node stopped at its limit of ${found.stopped.what}, ${found.stopped.limit}.`;
  if (swan !== null)
    return (
      `${so}, a black swan: the least collateralised position could not pay, ` +
      `and ${words.symbol(market.asset_id)} is settled globally.${cut}`
    );
  const alone =
    found.settled_alone_count === 0
      ? ""
      : ` Settled alone, as it cannot pay: ${countOf(found.settled_alone_count, "position")}.`;
  if (called === 0) return `${so}, nobody is called.${alone}${cut}`;
  const who = [...new Set(calls.map((one) => one.account_name))];
  const some = who.length > 4 || calls.length < fills ? "" : `: ${who.join(", ")}`;
  const verb = called === 1 ? "is" : "are";
  return `${so}, ${countOf(called, "position")} ${verb} called${some}.${alone}${cut}`;
}
