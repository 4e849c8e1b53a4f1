// Which of the gateway's faces the page may lean on; a button for one that is not there stays away.

/** PATCH /files/{name} */
export const hasRename: boolean = true
/** POST /zip */
export const hasZip: boolean = true
/** POST /account/password */
export const hasPassword: boolean = false
