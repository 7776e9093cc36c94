// Chapters that both JavaScript clients play, in terms of { database, history, account, asset, send }.
"use strict";

const FEE = { amount: 0, asset_id: "1.3.0" };
const FUTURE = "2029-01-01T00:00:00";

exports.order = (seller, pegId, amount, price) => ({
  fee: FEE,
  seller,
  amount_to_sell: { amount, asset_id: pegId },
  min_to_receive: { amount: price, asset_id: "1.3.0" },
  expiration: FUTURE,
  fill_or_kill: false,
  extensions: [],
});

exports.chapters = ({ settings, database, history, account, asset, send }) => {
  const position = async (name) => {
    const peg = await asset(settings.peg);
    const [[, full]] = await database("get_full_accounts", [name], false);
    const found = full.call_orders.find((call) => call.call_price.quote.asset_id === peg.id);
    return found ? [Number(found.debt), Number(found.collateral)] : null;
  };

  const adjust = async (collateral, debt, extensions = {}) => {
    const [me, peg] = [await account(settings.me), await asset(settings.peg)];
    await send(settings.me, "call_order_update", {
      fee: FEE,
      funding_account: me.id,
      delta_collateral: { amount: collateral, asset_id: "1.3.0" },
      delta_debt: { amount: debt, asset_id: peg.id },
      extensions,
    });
    return position(settings.me);
  };

  return {
    async read() {
      const peg = await asset(settings.peg);
      const [[key, full]] = await database("get_full_accounts", [settings.me], false);
      return {
        chain_id: await database("get_chain_id"),
        properties: await database("get_chain_properties"),
        global: (await database("get_global_properties")).parameters.block_interval,
        head: (await database("get_dynamic_global_properties")).head_block_number,
        account: [key, full.account.name],
        asset: [peg.symbol, peg.precision, "bitasset_data_id" in peg],
        objects: await database("get_objects", ["2.0.0", "1.2.999999"]),
        accounts: await database("lookup_accounts", "ali", 1),
        references: await database("get_key_references", [full.account.options.memo_key]),
        me: full.account.id,
        witness: (await database("get_witness_by_account", "init0")).id,
      };
    },

    async publish_feed() {
      const [witness, peg] = [await account(settings.witness), await asset(settings.peg)];
      const price = {
        base: { amount: 10 ** peg.precision, asset_id: peg.id },
        quote: { amount: 1000000, asset_id: "1.3.0" },
      };
      await send(settings.witness, "asset_publish_feed", {
        fee: FEE,
        publisher: witness.id,
        asset_id: peg.id,
        feed: {
          settlement_price: price,
          maintenance_collateral_ratio: 1750,
          maximum_short_squeeze_ratio: 1100,
          core_exchange_rate: price,
        },
        extensions: [],
      });
      const [data] = await database("get_objects", [peg.bitasset_data_id]);
      return { feed: data.current_feed, feeds: data.feeds.length };
    },

    async positions() {
      const [me, peg] = [await account(settings.me), await asset(settings.peg)];
      const unit = 10 ** peg.precision;
      const found = { unit };
      found.borrowed = await adjust(300000000, 100 * unit);
      found.target = await adjust(300000000, 20 * unit, { target_collateral_ratio: 2000 });
      found.calls = await database("get_call_orders", peg.id, 10);
      await send(settings.me, "asset_settle", {
        fee: FEE,
        account: me.id,
        amount: { amount: 5 * unit, asset_id: peg.id },
        extensions: [],
      });
      found.settlements = await database("get_settle_orders", settings.peg, 10);
      found.less = await adjust(0, -10 * unit);
      found.margin = await database("get_margin_positions", settings.me);
      return found;
    },

    async borrow() {
      const peg = await asset(settings.peg);
      return { position: await adjust(300000000, 100 * 10 ** peg.precision) };
    },

    async close() {
      const debt = await position(settings.me);
      const peg = await asset(settings.peg);
      const me = await account(settings.me);
      const [have] = await database("get_account_balances", me.id, [peg.id]);
      const missing = debt[0] - have.amount;
      if (missing > 0) {
        const other = await account(settings.other);
        await send(settings.other, "call_order_update", {
          fee: FEE,
          funding_account: other.id,
          delta_collateral: { amount: 300000000, asset_id: "1.3.0" },
          delta_debt: { amount: missing, asset_id: peg.id },
          extensions: [],
        });
        await send(settings.other, "transfer", {
          fee: FEE,
          from: other.id,
          to: me.id,
          amount: { amount: missing, asset_id: peg.id },
          extensions: [],
        });
      }
      return { debt, closed: await adjust(-debt[1], -debt[0]) };
    },

    async orders() {
      const [me, other] = [await account(settings.me), await account(settings.other)];
      const peg = await asset(settings.peg);
      const unit = 10 ** peg.precision;
      const place = async (units, price) => {
        const order = exports.order(me.id, peg.id, units * unit, units * price * 100000);
        const done = await send(settings.me, "limit_order_create", order);
        return done.trx.operation_results[0][1];
      };
      const placed = await place(3, 12);
      const cancelled = await place(1, 30);
      const book = await database("get_order_book", "TEST", settings.peg, 10);
      const filling = await send(settings.other, "limit_order_create", {
        ...exports.order(other.id, "1.3.0", 2 * 13 * 100000, 2 * unit),
        min_to_receive: { amount: 2 * unit, asset_id: peg.id },
      });
      await send(settings.me, "limit_order_cancel", {
        fee: FEE,
        fee_paying_account: me.id,
        order: cancelled,
        extensions: [],
      });
      const objects = await database("get_objects", [placed, cancelled]);
      const buckets = await history("get_market_history_buckets");
      return {
        placed,
        asks: book.asks.map((ask) => [Number(ask.price), Number(ask.quote)]),
        filled: filling.trx.operation_results[0][1],
        left: objects.map((item) => (item === null ? null : Number(item.for_sale))),
        unit,
        orders: (await database("get_limit_orders", "TEST", settings.peg, 10)).length,
        ticker: await database("get_ticker", "TEST", settings.peg),
        volume: await database("get_24_volume", "TEST", settings.peg),
        trades: await database(
          "get_trade_history", "TEST", settings.peg, FUTURE, "2020-01-01T00:00:00", 10,
        ),
        fills: (await history("get_fill_order_history", "TEST", settings.peg, 10)).length,
        buckets,
        candles: await history(
          "get_market_history", "1.3.0", peg.id, buckets[0], "2020-01-01T00:00:00", FUTURE,
        ),
        history: (await history("get_account_history", me.id, "1.11.0", 8, "1.11.0")).map(
          (item) => item.op[0],
        ),
      };
    },

    async own_asset() {
      const me = await account(settings.me);
      const other = await account(settings.other);
      const symbol = settings.token;
      const made = await send(settings.me, "asset_create", {
        fee: FEE,
        issuer: me.id,
        symbol,
        precision: 3,
        common_options: {
          max_supply: "1000000000",
          market_fee_percent: 0,
          max_market_fee: 0,
          issuer_permissions: 79,
          flags: 0,
          core_exchange_rate: {
            base: { amount: 100000, asset_id: "1.3.0" },
            quote: { amount: 1000, asset_id: "1.3.1" },
          },
          whitelist_authorities: [],
          blacklist_authorities: [],
          whitelist_markets: [],
          blacklist_markets: [],
          description: "tést",
          extensions: [],
        },
        is_prediction_market: false,
        extensions: [],
      });
      const token = made.trx.operation_results[0][1];
      await send(settings.me, "asset_issue", {
        fee: FEE,
        issuer: me.id,
        asset_to_issue: { amount: "50000", asset_id: token },
        issue_to_account: other.id,
        extensions: [],
      });
      const found = await asset(symbol);
      return {
        id: [token, found.id],
        rate: found.options.core_exchange_rate.quote.asset_id,
        description: found.options.description,
        balance: await database("get_account_balances", settings.other, [token]),
      };
    },

    async propose() {
      const [me, other] = [await account(settings.me), await account(settings.other)];
      const [before] = await database("get_account_balances", other.id, ["1.3.0"]);
      const transfer = {
        fee: { amount: 100000, asset_id: "1.3.0" },
        from: me.id,
        to: other.id,
        amount: { amount: "40000000", asset_id: "1.3.0" },
        extensions: [],
      };
      const made = await send(settings.other, "proposal_create", {
        fee: FEE,
        fee_paying_account: other.id,
        expiration_time: Math.floor(Date.now() / 1000) + 3600,
        proposed_ops: [{ op: [0, transfer] }],
        extensions: [],
      });
      const proposal = made.trx.operation_results[0][1];
      const listed = await database("get_proposed_transactions", settings.me);
      await send(settings.me, "proposal_update", {
        fee: FEE,
        fee_paying_account: me.id,
        proposal,
        active_approvals_to_add: [me.id],
        active_approvals_to_remove: [],
        owner_approvals_to_add: [],
        owner_approvals_to_remove: [],
        key_approvals_to_add: [],
        key_approvals_to_remove: [],
        extensions: [],
      });
      const [after] = await database("get_account_balances", other.id, ["1.3.0"]);
      return {
        proposal,
        listed: listed.map((item) => item.id),
        left: await database("get_objects", [proposal]),
        gained: after.amount - before.amount,
      };
    },

    async govern() {
      const me = await account(settings.me);
      const name = settings.newcomer;
      const authority = me.active;
      await send(settings.me, "account_create", {
        fee: FEE,
        registrar: me.id,
        referrer: me.id,
        referrer_percent: 0,
        name,
        owner: authority,
        active: authority,
        options: { ...me.options, votes: [], num_witness: 0, num_committee: 0 },
        extensions: {},
      });
      const made = await account(name);
      await send(settings.me, "transfer", {
        fee: FEE,
        from: me.id,
        to: made.id,
        amount: { amount: "2000000000", asset_id: "1.3.0" },
        extensions: [],
      });
      await send(settings.me, "account_upgrade", {
        fee: FEE,
        account_to_upgrade: made.id,
        upgrade_to_lifetime_member: true,
        extensions: [],
      });
      const witness = await database("get_witness_by_account", "init0");
      await send(settings.me, "account_update", {
        fee: FEE,
        account: made.id,
        new_options: { ...made.options, votes: [witness.vote_id], num_witness: 1 },
        extensions: {},
      });
      const upgraded = await account(name);
      return {
        is_member: upgraded.lifetime_referrer === upgraded.id,
        membership: upgraded.membership_expiration_date,
        votes: [upgraded.options.votes, [witness.vote_id]],
        looked_up: await database("lookup_vote_ids", upgraded.options.votes),
      };
    },

    async refuse() {
      const [me, other] = [await account(settings.me), await account(settings.other)];
      const transfer = (amount) => ({
        fee: FEE,
        from: me.id,
        to: other.id,
        amount: { amount, asset_id: "1.3.0" },
        extensions: [],
      });
      const attempts = [
        () => send(settings.me, "transfer", transfer("100000000000000")),
        () => send(settings.witness, "transfer", transfer(1)),
        () => database("get_ticker", "TEST", "NOSUCHASSET"),
      ];
      const messages = [];
      for (const attempt of attempts) {
        await attempt().catch((error) => messages.push(String(error.message || error)));
      }
      return { messages, missing: await account("nobody-of-that-name") };
    },
  };
};
