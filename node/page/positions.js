// Positions by distance to their call, and why each of them is called or not.

import { byId, keep, make, rows, say } from "./dom.js";
import { countOf, drawn, percent, ratio } from "./units.js";

const NEAR_HUNDREDTHS = -1000;
const WITHIN_REACH = {
  bid: "the SQP is below the call price, so that bids between the two call it",
  feed: "at or below the MCR, so that a bid that is high enough calls it",
};

/** Draw the positions of a BitAsset; `explain(position)` is asked when somebody wants to know. */
export function drawPositions(words, market, positions, explain) {
  byId("positions-none").hidden = positions.length > 0;
  byId("positions-table").hidden = positions.length === 0;
  const count = market.position_count;
  say(
    byId("positions-note"),
    positions.length < count ? `${positions.length} of ${count}` : countOf(count, "position"),
  );
  say(
    byId("positions-caption"),
    `Least collateralised first. Within reach: ${WITHIN_REACH[market.margin_call_trigger]}`,
  );
  say(byId("positions-debt"), `Debt, ${words.symbol(market.asset_id)}`);
  say(byId("positions-held"), `Collateral, ${words.symbol(market.backing_asset_id)}`);
  const common = commonMarks(words, market);
  const calls = new Map(positions.map((one) => [one.id, callMarks(words, one)]));
  const most = Math.max(...[common, ...calls.values()].flat().map(([, place]) => place));
  rows(
    byId("positions-table"),
    positions,
    (one) => one.id,
    [
      { text: (one) => one.borrower_name },
      {
        text: () => "Why",
        press: explain,
        label: (one) => `Why is ${one.borrower_name} ${one.is_called ? "" : "not "}called?`,
      },
      { name: "way", text: reach },
      {
        name: "line",
        marks: (one) =>
          [...common, ...calls.get(one.id)].map(([kind, place]) => [kind, place / most]),
      },
      { name: "right num", text: (one) => words.price(one.call_price) },
      { name: "right num", text: (one) => ratio(one.collateral_ratio) },
      { name: "right num", text: (one) => words.number(debtOf(one)) },
      { name: "right num", text: (one) => words.number(heldBy(one)) },
    ],
    nearness,
  );
}

const callMarks = (words, one) =>
  one.call_price === null ? [] : [["call", drawn(words.price(one.call_price))]];

function commonMarks(words, market) {
  if (market.squeeze_protection_price === null) return [];
  const marks = [
    ["feed", market.feed.settlement_price],
    ["sqp", market.squeeze_protection_price],
  ];
  if (market.highest_bid !== null) marks.push(["bid", market.highest_bid.sell_price]);
  return marks.map(([kind, price]) => [kind, drawn(words.price(price))]);
}

const debtOf = (one) => ({ amount: one.debt, asset_id: one.debt_asset });
const heldBy = (one) => ({ amount: one.collateral, asset_id: one.collateral_asset });

function reach(one) {
  if (one.is_called) return "called";
  if (one.feed_change_to_reach === null) return "no feed";
  return isReached(one) ? "within reach" : percent(one.feed_change_to_reach);
}

const isReached = (one) => one.feed_change_to_reach !== null && one.feed_change_to_reach >= 0;

function nearness(one) {
  if (one.is_called) return "is-called";
  if (isReached(one)) return "is-reached";
  return (one.feed_change_to_reach ?? 2 * NEAR_HUNDREDTHS) > NEAR_HUNDREDTHS ? "is-near" : "is-far";
}

/** Show what `pegboard.explain_position` answers: prices on a line, each sentence with its rule. */
export function showWhy(words, found) {
  say(byId("why-title"), `${found.account_name}, ${words.symbol(found.asset_id)}`);
  drawLine(words, found.prices);
  showSentences(byId("why-list"), found.statements);
  const dialog = byId("why");
  if (!dialog.open) dialog.showModal();
}

/** A list of sentences, each with the rule that it follows from. */
function showSentences(list, statements) {
  keep(
    list,
    statements.map((one, number) => ({ ...one, number })),
    (one) => one.number,
    () => make("li", {}, make("p"), make("p", { class: "rule" }, make("code"), make("span"))),
    (element, one) => {
      say(element.firstElementChild, `${one.text}.`);
      say(element.lastElementChild.firstElementChild, one.rule);
      say(element.lastElementChild.lastElementChild, ` ${one.rule_says}`);
    },
  );
}

function drawLine(words, prices) {
  const line = byId("why-line");
  line.hidden = prices === null;
  if (prices === null) return;
  const marks = [
    ["sqp", "SQP", prices.squeeze_protection_price],
    ["call", "call price", prices.call_price],
    ["bid", "highest bid", prices.highest_bid],
    ["feed", "settlement price", prices.settlement_price],
  ]
    .filter(([, , price]) => price !== null)
    .map(([kind, name, price]) => ({
      kind,
      name,
      text: words.price(price),
      at: drawn(words.price(price)),
    }));
  const most = Math.max(...marks.map((one) => one.at));
  keep(
    line,
    marks,
    (one) => one.kind,
    () => make("span", {}, make("b"), make("span")),
    (element, one) => {
      element.className = `mark is-${one.kind}${one.at / most > 0.5 ? " is-end" : ""}`;
      element.style.setProperty("--at", String(one.at / most));
      say(element.firstElementChild, one.name);
      say(element.lastElementChild, one.text);
    },
  );
}
