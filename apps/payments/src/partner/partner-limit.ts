/** What the partner allows: so many calls a second, after a burst. */
export const PARTNER_LIMIT = { limit: 100, period: '1s', burst: 20 } as const;
