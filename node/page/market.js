// How a BitAsset stands: its prices, the ladder of bids with the prices of calls, the depth.

import { Chart, axis, colour, plain, uprights } from "./chart.js";
import { byId, facts, rows, say, show } from "./dom.js";
import { comparePrices, countOf, decimal, drawn, inverse, ratio } from "./units.js";

const ASKS_IN_LADDER = 5;
const CALLS_IN_LADDER = 12;
const CALLED_WHERE = {
  bid: "the highest bid is above the SQP and below its call price",
  feed: "the settlement price is at its call price, and a bid is high enough",
};

let chart = null;
let supposed = [];
let last = null;

/**
 * Draw a market. `found` has `market` (`get_asset_market`), `bids` and `asks` (orders of the book,
 * best first) and `positions` (`get_positions`).
 */
export function drawMarket(words, found) {
  const { market, positions } = found;
  const name = words.symbol(market.asset_id);
  const unit = words.unit(market.asset_id, market.backing_asset_id);
  say(byId("market-title"), name);
  say(byId("market-note"), `${kindOf(market)}; prices in ${unit}`);
  drawFacts(words, market);
  const next = market.next_call;
  show(byId("next-call"), next === null ? "" : `${sentence(next.text, name)} (${next.rule})`);
  const levels = levelsOf(words, found);
  drawLadder(words, market, levels, positions);
  last = { words, market, name, unit, ...found };
  drawDepth();
}

/** Draw where the prices would be, dashed; none for the present. */
export function suppose(marks) {
  supposed = marks;
  if (last !== null) drawDepth();
}

function kindOf(market) {
  if (market.is_globally_settled) return "settled globally";
  if (market.is_prediction_market) return "a prediction market: nobody is called";
  return `margin calls by the ${market.margin_call_trigger}`;
}

function drawFacts(words, market) {
  const supply = { amount: market.current_supply, asset_id: market.asset_id };
  const fund = { amount: market.settlement_fund, asset_id: market.backing_asset_id };
  const bid = market.highest_bid;
  const hasFeed = market.squeeze_protection_price !== null;
  facts(byId("market-facts"), [
    [
      "Settlement price",
      hasFeed ? words.price(market.feed.settlement_price) : "no feed",
      `median of ${countOf(market.feed_count, "feed")}`,
    ],
    [
      "Squeeze protection price (SQP)",
      words.price(market.squeeze_protection_price),
      `MSQR ${ratio(market.maximum_short_squeeze_ratio)}`,
    ],
    [
      "Highest bid",
      bid === null ? "–" : words.price(bid.sell_price),
      bid === null
        ? "nobody bids"
        : `for ${words.amount({ amount: bid.for_sale, asset_id: market.asset_id })}`,
    ],
    [
      "Least collateral ratio (MCR)",
      ratio(market.maintenance_collateral_ratio),
      market.is_margin_called ? "a position is called" : "nobody is called",
    ],
    ["Supply", words.amount(supply), countOf(market.position_count, "position")],
    ...(market.is_globally_settled
      ? [
          [
            "Settlement fund",
            words.amount(fund),
            `at ${words.price(market.global_settlement_price)}`,
          ],
        ]
      : []),
  ]);
}

/** What stands on the ladder, highest price first; of one price, what matters more first. */
function levelsOf(words, { market, bids, asks, positions }) {
  const named = (kind, price, text, more = {}) => ({
    kind,
    price,
    text,
    key: text,
    amount: null,
    ...more,
  });
  const levels = [
    ...asks.slice(0, ASKS_IN_LADDER).map((one) => order(market, one, "ask")),
    ...bids.map((one) => order(market, one, "bid")),
  ];
  if (market.squeeze_protection_price !== null) {
    levels.push(named("feed", market.feed.settlement_price, "Settlement price"));
    levels.push(named("sqp", market.squeeze_protection_price, "Squeeze protection price (SQP)"));
    if (comparePrices(market.margin_call_order_price, market.squeeze_protection_price) !== 0) {
      levels.push(
        named("sqp", market.margin_call_order_price, "Margin calls buy down to here (MCOP)"),
      );
    }
    for (const one of positions.slice(0, CALLS_IN_LADDER)) {
      levels.push(
        named("call", one.call_price, `Call price of ${one.borrower_name}`, {
          isCalled: one.is_called,
        }),
      );
    }
  }
  return levels.sort((one, other) => comparePrices(other.price, one.price));
}

function order(market, one, kind) {
  const isBid = kind === "bid";
  const price = isBid ? one.sell_price : inverse(one.sell_price);
  const asset_id = isBid ? market.asset_id : market.backing_asset_id;
  return {
    kind,
    price,
    amount: { amount: one.for_sale, asset_id },
    key: one.id,
    text: `${isBid ? "Bid" : "Ask"} ${one.id}`,
  };
}

function drawLadder(words, market, levels, positions) {
  const most = levels.reduce(
    (best, one) =>
      one.kind === "bid" && BigInt(one.amount.amount) > best ? BigInt(one.amount.amount) : best,
    1n,
  );
  const share = (one) =>
    one.kind === "bid" ? Number((BigInt(one.amount.amount) * 1000n) / most) / 1000 : 0;
  const more = positions.length - CALLS_IN_LADDER;
  const unit = words.unit(market.asset_id, market.backing_asset_id);
  say(byId("ladder-unit"), more > 0 ? `${unit}; ${countOf(more, "call price")} below` : unit);
  say(
    byId("ladder-caption"),
    `A position is called where ${CALLED_WHERE[market.margin_call_trigger]}`,
  );
  rows(
    byId("ladder-table"),
    levels,
    (one) => one.key,
    [
      { name: "num", text: (one) => words.price(one.price) },
      {
        name: "right bar",
        text: (one) => (one.amount === null ? "" : words.amount(one.amount)),
        bar: share,
      },
      { text: (one) => one.text + (one.isCalled ? ", called" : "") },
    ],
    (one) => `is-${one.kind}`,
  );
}

function drawDepth() {
  const { words, market, bids, asks, positions, name, unit } = last;
  const bidSide = addedUp(
    words,
    bids,
    (one) => one.sell_price,
    (one) => BigInt(one.for_sale),
  );
  const askSide = addedUp(words, asks, (one) => inverse(one.sell_price), wanted);
  say(byId("depth-note"), `${name} added up from the best price on, over ${unit}`);
  rows(
    byId("depth-table"),
    [
      ...askSide.map((one) => ({ ...one, side: "Asks" })).reverse(),
      ...bidSide.map((one) => ({ ...one, side: "Bids" })),
    ],
    (one) => one.side + one.price,
    [
      { text: (one) => one.side },
      { name: "right num", text: (one) => one.price },
      {
        name: "right num",
        text: (one) => words.number({ amount: one.sum, asset_id: market.asset_id }),
      },
    ],
  );
  const precision = words.assets.get(market.asset_id).precision;
  const points = (side) =>
    side.map((one) => [drawn(one.price), drawn(decimal(one.sum, precision))]);
  const at = (price) => drawn(words.price(price));
  const marks =
    market.squeeze_protection_price === null
      ? []
      : [
          [at(market.feed.settlement_price), "feed", "settlement price", false],
          [at(market.squeeze_protection_price), "sqp", "SQP", false],
          ...positions
            .slice(0, CALLS_IN_LADDER)
            .map((one) => [at(one.call_price), "call", "", false]),
          ...supposed.map(([price, text, of]) => [at(price), of, text, true]),
        ];
  chart ??= new Chart(byId("depth-chart"));
  const [data, range] = depthData(points(bidSide), points(askSide), marks);
  const count = `${countOf(bids.length, "bid")}, ${countOf(asks.length, "ask")}`;
  chart.draw(
    () => depthOptions(marks, range),
    data,
    `Depth of ${name}: ${count}; the numbers stand in the ladder and in the table below`,
  );
}

/** Whole units that an ask wants, smallest units of the BitAsset, rounded down. */
function wanted(one) {
  return (
    (BigInt(one.for_sale) * BigInt(one.sell_price.quote.amount)) /
    BigInt(one.sell_price.base.amount)
  );
}

function addedUp(words, orders, priceOf, amountOf) {
  const levels = [];
  let sum = 0n;
  for (const one of orders) {
    sum += amountOf(one);
    const price = words.price(priceOf(one));
    if (levels.at(-1)?.price === price) levels.at(-1).sum = sum;
    else levels.push({ price, sum });
  }
  return levels;
}

/** The two sides as columns over one list of prices, and the prices that are to be seen. */
function depthData(bids, asks, marks) {
  const all = [...bids.map(([x]) => x), ...asks.map(([x]) => x), ...marks.map(([x]) => x)];
  if (all.length === 0)
    return [
      [
        [0, 1],
        [null, null],
        [null, null],
      ],
      [0, 1],
    ];
  const low = Math.min(...all);
  const high = Math.max(...all);
  const margin = (high - low || high || 1) * 0.06;
  const range = [low - margin, high + margin];
  const xs = [...new Set([range[0], ...all, range[1]])].sort((one, other) => one - other);
  // Of bids, what is offered at a price or above it; of asks, at it or below.
  const bidAt = (x) => bids.filter(([price]) => price >= x).at(-1)?.[1] ?? null;
  const askAt = (x) => asks.filter(([price]) => price <= x).at(-1)?.[1] ?? null;
  return [[xs, xs.map(bidAt), xs.map(askAt)], range];
}

function depthOptions(marks, range) {
  const stepped = window.uPlot.paths.stepped;
  return {
    padding: [12, 12, 0, 0],
    cursor: { points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => range },
      y: { range: (_, __, high) => [0, (high || 1) * 1.12] },
    },
    axes: [axis({ values: plain, space: 80 }), axis({ values: plain, size: 62 })],
    series: [
      {},
      {
        stroke: colour("bid"),
        fill: colour("bid-fill"),
        width: 2,
        paths: stepped({ align: -1 }),
        points: { show: false },
      },
      {
        stroke: colour("ask"),
        fill: colour("ask-fill"),
        width: 2,
        paths: stepped({ align: 1 }),
        points: { show: false },
      },
    ],
    hooks: { draw: [uprights(() => marks)] },
  };
}

/** A sentence of the node with a beginning and an end; a symbol stays as it is written. */
function sentence(text, name) {
  const first = text.startsWith(name) ? text.charAt(0) : text.charAt(0).toUpperCase();
  return `${first}${text.slice(1)}.`;
}
