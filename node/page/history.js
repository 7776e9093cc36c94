// What happened to a BitAsset: feeds, trades, margin calls with their explanation.

import { Chart, axis, colour, plain } from "./chart.js";
import { byId, keep, make, rows, say } from "./dom.js";
import { PRICE_DIGITS, countOf, decimal, drawn, moment, placed, ratio } from "./units.js";

let chart = null;

/** Draw the history; `found` has `feeds`, `calls` and `trades` as the node tells them. */
export function drawHistory(words, market, today, found) {
  const unit = words.unit(market.asset_id, market.backing_asset_id);
  say(byId("history-unit"), unit);
  drawFeeds(words, found.feeds, today);
  drawCalls(words, found.calls, today);
  drawTrades(words, market, found.trades, today);
  drawChart(words, market, found);
}

function drawFeeds(words, feeds, today) {
  rows(byId("feeds-table"), feeds, (one) => one.instance, [
    { text: (one) => moment(one.block_time, today) },
    { name: "right num", text: (one) => decimal(one.block_num, 0) },
    {
      name: "right num",
      text: (one) => (one.settlement_price === null ? "none" : words.price(one.settlement_price)),
    },
    { name: "right num", text: (one) => ratio(one.maintenance_collateral_ratio) },
    { name: "right num", text: (one) => ratio(one.maximum_short_squeeze_ratio) },
  ]);
}

function drawTrades(words, market, trades, today) {
  byId("trades-none").hidden = trades.length > 0;
  byId("trades-table").hidden = trades.length === 0;
  say(byId("trades-unit"), words.unit(market.asset_id, market.backing_asset_id));
  say(byId("trades-amount"), words.symbol(market.backing_asset_id));
  say(byId("trades-value"), words.symbol(market.asset_id));
  const precision = (id) => words.assets.get(id).precision;
  rows(byId("trades-table"), trades, (one) => one.sequence, [
    { text: (one) => moment(one.date, today) },
    { name: "right num", text: (one) => placed(one.price, PRICE_DIGITS) },
    { name: "right num", text: (one) => placed(one.amount, precision(market.backing_asset_id)) },
    { name: "right num", text: (one) => placed(one.value, precision(market.asset_id)) },
  ]);
}

function drawCalls(words, calls, today) {
  byId("calls-none").hidden = calls.length > 0;
  say(byId("calls-note"), calls.length ? `the newest ${calls.length}` : "");
  const create = () => make("li", {}, make("h3"), make("p"), make("p", { class: "soft small" }));
  keep(
    byId("calls-list"),
    calls,
    (one) => one.instance,
    create,
    (element, one) => {
      const [title, text, figures] = element.children;
      say(
        title,
        `${one.account_name}, block ${decimal(one.block_num, 0)}, ${moment(one.block_time, today)}`,
      );
      say(text, one.explanation);
      const before = ratio(one.collateral_ratio_before);
      const after = one.is_closed
        ? "closed"
        : `ratio ${before} to ${ratio(one.collateral_ratio_after)}`;
      const debt = `${words.amount(one.debt_before)} to ${words.amount(one.debt_after)}`;
      say(figures, `Debt ${debt}, call price ${words.price(one.call_price)}, ${after}`);
    },
  );
}

const seconds = (time) => Date.parse(`${time}Z`) / 1000;

function drawChart(words, market, { feeds, trades }) {
  chart ??= new Chart(byId("history-chart"));
  const points = new Map();
  const put = (time, column, value) => {
    const x = seconds(time);
    if (!points.has(x)) points.set(x, [null, null]);
    points.get(x)[column] = value;
  };
  for (const one of [...feeds].reverse()) {
    put(
      one.block_time,
      0,
      one.settlement_price === null ? null : drawn(words.price(one.settlement_price)),
    );
  }
  for (const one of [...trades].reverse()) put(one.date, 1, drawn(one.price));
  const xs = [...points.keys()].sort((one, other) => one - other);
  let feed = null;
  const feedLine = xs.map((x) => (feed = points.get(x)[0] ?? feed));
  const data = [xs, feedLine, xs.map((x) => points.get(x)[1])];
  const count = `${countOf(feeds.length, "feed")} and ${countOf(trades.length, "trade")}`;
  const name = words.symbol(market.asset_id);
  chart.draw(options, data, `Feed and trades of ${name}: ${count}, which the tables list`);
}

const DAY_S = 86_400;

/** Times of an axis: of the day within one day, else with the date. */
function clockTimes(_, splits) {
  const isLong = splits.at(-1) - splits[0] >= DAY_S;
  return splits.map((stamp) => {
    const [day, clock] = new Date(stamp * 1000).toISOString().split("T");
    return isLong ? `${day.slice(5)} ${clock.slice(0, 5)}` : clock.slice(0, 8);
  });
}

function options() {
  return {
    padding: [12, 12, 0, 0],
    cursor: { points: { show: false }, drag: { x: false, y: false } },
    tzDate: (stamp) => window.uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
    axes: [axis({ space: 90, values: clockTimes }), axis({ values: plain, size: 62 })],
    series: [
      {},
      {
        stroke: colour("feed"),
        width: 2,
        paths: window.uPlot.paths.stepped({ align: 1 }),
        points: { show: false },
      },
      {
        stroke: colour("bid"),
        paths: () => null,
        points: { show: true, size: 8, fill: colour("bid"), stroke: colour("card") },
      },
    ],
  };
}
