// Commands on accounts: how a password is salted, the record, its change in two steps, its end.
import { requireFoldedName } from '../proof-check.ts'
import { DfsError, fakeSalt, MAX_PAGE_USERS } from '../protocol/index.ts'
import type { CommandsOf, Services } from './table.ts'

type AccountOp =
  | 'salt'
  | 'account'
  | 'account-prepare'
  | 'account-commit'
  | 'account-abort'
  | 'account-remove'
  | 'account-list'

const done = { header: {} }

export function accountCommands(services: Services): CommandsOf<AccountOp> {
  const { accounts, catalog, clusterKey, rounds } = services
  return {
    salt(_call, { user }) {
      requireFoldedName(user)
      // Made for known users too: unknown ones must not be told apart by the time it takes.
      const fake = { salt: fakeSalt(clusterKey, user), rounds }
      const { salt, rounds: realRounds } = accounts.find(user) ?? fake
      return { header: { salt, rounds: realRounds } }
    },

    account: ({ sender }) => ({ header: { account: accounts.record(sender.user) } }),

    async 'account-prepare'({ sender }, { account }) {
      if (account.user !== sender.user) {
        throw new DfsError(
          'FORBIDDEN',
          'The account is not that of the user who proves the command.',
        )
      }
      await catalog.write(() => accounts.applyPrepare(account))
      return done
    },

    async 'account-commit'({ sender }, { change }) {
      await catalog.write(() => accounts.applyCommit(sender.user, change))
      return done
    },

    async 'account-abort'({ sender }, { change }) {
      await catalog.write(() => accounts.applyAbort(sender.user, change))
      return done
    },

    async 'account-remove'({ sender }) {
      const existed = await catalog.write(() => accounts.applyRemove(sender.user))
      if (existed) await services.forgetUser(sender.user)
      return { header: { existed } }
    },

    'account-list'(_call, { after }) {
      // One beyond the page tells whether there is more.
      const users = accounts.usersAfter(after, MAX_PAGE_USERS + 1)
      const more = users.length > MAX_PAGE_USERS
      return { header: { users: users.slice(0, MAX_PAGE_USERS), more } }
    },
  }
}
